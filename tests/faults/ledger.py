"""The ledger: every attempt with what its caller was told, and one checker that compares it with store, topics and projections."""

import asyncio
import base64
import contextlib
import importlib
import itertools
import secrets
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import asyncpg
import httpx2
from aiokafka import AIOKafkaConsumer
from latchkey.access import KafkaAccess, options
from latchkey.envelope import decode, splice
from latchkey.topics import TOPICS

from shared.rebuild.rebuild import Rebuild, opened
from shared.rebuild.tables import drop_old
from shared.store.log import COLUMNS, positioned
from shared.store.records import Positioned, chain
from tests.people import Developer, Installed, transaction

Outcome = Literal["ok", "fail", "unknown"]
SETTLE_SECONDS = 60.0


@dataclass
class Ledger:
    """Who was told what. Transactions by id; app registrations by Idempotency-Key."""

    developer: Developer
    app_id: str
    secret: str
    told: dict[str, Outcome] = field(default_factory=dict)
    apps: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _serial: "itertools.count[int]" = field(default_factory=itertools.count)

    async def load(self, writers: int, stop: asyncio.Event) -> None:
        """Write from several callers until told to stop; nobody tries an attempt again, so each outcome is one attempt's."""
        await asyncio.gather(*(self._write(stop) for _ in range(writers)), self._register(stop))

    async def _write(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            batch = [transaction(next(self._serial)) for _ in range(3)]
            try:
                answer = await self.developer.record(self.secret, *batch)
            except httpx2.HTTPError:
                self._note(batch, "unknown")
                await asyncio.sleep(0.05)
                continue
            self._note(batch, _outcome(answer))
            if answer.status_code != 201:
                await asyncio.sleep(0.05)

    async def _register(self, stop: asyncio.Event) -> None:
        """Register apps, repeating each with its key until it is answered, as a client that lost an answer does."""
        while not stop.is_set():
            key = secrets.token_hex(8)
            form = {
                "name": f"Shop {key}", "email": "a@example.com", "address": "1 Way", "country": "GB", "postal_code": "SW1A 1AA",
            }  # fmt: skip
            for _ in range(400):
                try:
                    answer = await self.developer.call("POST", "registry", "/v1/apps", json=form, headers={"Idempotency-Key": key})
                except httpx2.HTTPError:
                    await asyncio.sleep(0.1)
                    continue
                if answer.status_code == 201:
                    self.apps[key].add(answer.json()["app_id"])
                    break
                if answer.status_code == 401:
                    await self._sign_in()
                await asyncio.sleep(0.1)
            await asyncio.sleep(0.05)

    async def _sign_in(self) -> None:
        """An access token lives for five minutes, and some runs longer."""
        with contextlib.suppress(httpx2.HTTPError):
            await self.developer.sign_in()

    def _note(self, batch: Sequence[dict[str, Any]], outcome: Outcome) -> None:
        for item in batch:
            self.told[item["transaction_id"]] = outcome


def _outcome(answer: httpx2.Response) -> Outcome:
    if answer.status_code == 201:
        return "ok"
    unknown = answer.status_code >= 500 and answer.headers.get("content-type", "").startswith("application/problem+json")
    return "fail" if unknown and answer.json()["code"] != "service.outcome_unknown" else "unknown"


async def check(product: Installed, ledger: Ledger) -> Counter[str]:
    """Assert I1–I6 and I8 of everything that was written; answers how many attempts had which outcome."""
    log = {name: await _log(service.database.owner) for name, service in product.services.items()}
    for rows in log.values():
        _check_streams(rows)
    recorded = _transactions(log["metrics"], ledger.app_id)
    _check_told(ledger, recorded)
    await _check_apps(product, ledger)
    await _check_topics(product, {splice(found.row.public, found.position) for rows in log.values() for found in rows if found.row.public})
    await _check_overview(ledger, recorded)
    await _check_projections(product)
    return Counter(ledger.told.values())


async def _log(owner: str) -> list[Positioned]:
    db = await asyncpg.connect(owner)
    try:
        return [positioned(row) for row in await db.fetch(f"SELECT {COLUMNS} FROM es.events ORDER BY position")]
    finally:
        await db.close()


def _check_streams(rows: Sequence[Positioned]) -> None:
    """I3: versions are 1..n in every stream, in the order of positions, and the chain holds."""
    heads: dict[str, tuple[int, bytes]] = {}
    for found in rows:
        version, previous = heads.get(found.row.stream_id, (0, b""))
        assert found.row.version == version + 1, f"{found.row.stream_id} goes from {version} to {found.row.version}"
        assert found.row.hash == chain(previous, found.row), f"the chain of {found.row.stream_id} breaks at {found.row.version}"
        heads[found.row.stream_id] = (found.row.version, found.row.hash)


def _transactions(rows: Sequence[Positioned], app_id: str) -> Counter[str]:
    """How often each of the app's transactions was recorded."""
    recorded = [
        decode(row.public).payload for row in (found.row for found in rows) if row.type == "metrics.TransactionRecorded" and row.public
    ]
    return Counter(payload["transaction_id"] for payload in recorded if payload["app_id"] == app_id)


def _check_told(ledger: Ledger, recorded: Counter[str]) -> None:
    """I1 and I15: what was acknowledged is there, what failed is not; what was unknown may be either."""
    lost = [name for name, outcome in ledger.told.items() if outcome == "ok" and not recorded[name]]
    ghosts = [name for name, outcome in ledger.told.items() if outcome == "fail" and recorded[name]]
    twice = [name for name, count in recorded.items() if count > 1]
    assert (lost, ghosts, twice) == ([], [], [])


async def _check_apps(product: Installed, ledger: Ledger) -> None:
    """I2: one key, one app, whatever was repeated."""
    assert all(len(made) == 1 for made in ledger.apps.values()), ledger.apps
    db = await asyncpg.connect(product.services["registry"].database.owner)
    try:
        names = Counter(row["name"] for row in await db.fetch("SELECT name FROM apps"))
    finally:
        await db.close()
    assert all(names[f"Shop {key}"] == 1 for key in ledger.apps)


async def _lost(owner: str) -> set[bytes]:
    """What a restored log lost, and still says."""
    db = await asyncpg.connect(owner)
    try:
        return {splice(row["public"], row["position"]) for row in await db.fetch("SELECT position, public FROM es.lost")}
    finally:
        await db.close()


async def _check_topics(product: Installed, published: set[bytes]) -> None:
    """I4 and I5: every public event is on Kafka byte for byte, and the first occurrences of a stream are in order."""
    expected = published.union(*[await _lost(service.database.owner) for service in product.services.values()])
    deadline = asyncio.get_running_loop().time() + SETTLE_SECONDS
    while True:
        values = await _topics(product.stack.bootstrap)
        missing = expected - set(values)
        if not missing or asyncio.get_running_loop().time() > deadline:
            break
        await asyncio.sleep(0.5)
    assert not missing, f"{len(missing)} of {len(expected)} events never reached Kafka, such as {min(missing)!r}"
    firsts: dict[str, int] = {}
    for value in values:
        if value not in expected:
            continue  # of another test on the same Kafka
        envelope = decode(value)
        last = firsts.get(envelope.subject, 0)
        assert envelope.streamversion <= last + 1, f"{envelope.subject}: {envelope.streamversion} came first after {last}"
        firsts[envelope.subject] = max(last, envelope.streamversion)


async def _topics(kafka: str | KafkaAccess) -> list[bytes]:
    names = [topic.name for topic in TOPICS if not topic.compacted]
    consumer = AIOKafkaConsumer(*names, **options(kafka), auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    try:
        ends = await consumer.end_offsets(list(consumer.assignment()))
        values: list[bytes] = []
        while any([await consumer.position(part) < end for part, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=500, max_records=5_000)).values():
                values += [record.value for record in records if record.value]
        return values
    finally:
        await consumer.stop()


async def _check_overview(ledger: Ledger, recorded: Counter[str]) -> None:
    """I8: each transaction is counted once where the owner looks, as soon as metrics has heard whose app it is."""
    await ledger.developer.sign_in()  # an access token lives for five minutes, and some runs longer
    assert await ledger.developer.sees(ledger.app_id, SETTLE_SECONDS), f"metrics has not heard of {ledger.app_id}"
    total = (await ledger.developer.overview(ledger.app_id))["total"]
    assert total == len([name for name in recorded if name in ledger.told])


async def _check_projections(product: Installed) -> None:
    """I6: each inline view is equal to one that is rebuilt from the log, which then takes its place."""
    for name, service in product.services.items():
        wiring = importlib.import_module(f"services.{name}.wiring")
        master_key = base64.b64decode(service.environment()[f"{name.upper()}_MASTER_KEY"])
        for view in wiring.VIEWS:
            async with opened(service.database.owner, wiring.EVENTS, master_key, view) as parts:
                await Rebuild(parts, view).run(verify=True)
                await drop_old(parts.writing, view)
