"""What the tests of metrics stand on: keys without Kafka, an app of somebody, and the service over HTTP."""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import httpx2
from latchkey.directory import Directory
from latchkey.envelope import Envelope
from latchkey.events import PublicEvent
from latchkey.judging import Code, judge
from latchkey.keyformat import Environment, Kind, key_digest, make_key, parse_key
from latchkey.rings import PairRecord, PairStatus, RingRecord
from latchkey.verifier import Verdict

from tests import tokens

OWNER, STRANGER = "acc_owner", "acc_stranger"
MADE = datetime(2026, 1, 10, 9, 0, tzinfo=UTC)


def key_text(pair_id: str, kind: Kind = Kind.SECRET, environment: Environment = Environment.LIVE) -> str:
    """The key of a pair, always the same one."""
    return make_key(kind, environment, hashlib.sha256(f"{pair_id}{kind}".encode()).digest())


def pair(app_id: str, pair_id: str, **changes: Any) -> PairRecord:
    """A pair of an app as the verifier topic carries it."""
    environment = Environment(changes.pop("environment", "live"))
    values: dict[str, Any] = {
        "ring_id": f"kr_{pair_id}", "pair_id": pair_id, "app_id": app_id, "tenant": OWNER, "environment": environment,
        "public_digest": key_digest(key_text(pair_id, Kind.PUBLIC, environment)),
        "secret_digest": key_digest(key_text(pair_id, Kind.SECRET, environment)),
        "status": PairStatus.ACTIVE, "lineage_id": f"ln_{pair_id}",
    }  # fmt: skip
    return PairRecord(**(values | changes))


@dataclass
class Judge:
    """A verifier that holds what the test puts in; with `stale` it cannot know."""

    directory: Directory = field(default_factory=Directory)
    stale: bool = False
    version: int = 0

    def hold(self, record: PairRecord) -> None:
        """Replace the ring of this pair."""
        self.version += 1
        self.directory.put(RingRecord(record.ring_id, self.version, (record,)))

    async def check_fresh(self, key_text: str, *, origin: str | None = None, ip: str | None = None, scope: str | None = None) -> Verdict:
        """See Verifier."""
        parsed = parse_key(key_text)
        if parsed is None:
            return Verdict(Code.MALFORMED, None, None, None)
        if self.stale:
            return Verdict(Code.STALE_FEED, None, parsed.kind, parsed.environment)
        entry = self.directory.look_up(key_text)
        record = entry.record if entry else None
        code = judge(record, parsed.kind, datetime.now(UTC), origin=origin, ip=ip, scope=scope)
        return Verdict(code, record, parsed.kind, parsed.environment)


@dataclass
class Shop:
    """The service over HTTP, as a shop's server, its frontend and its owner see it."""

    http: httpx2.AsyncClient
    judge: Judge
    db: asyncpg.Connection
    app: str

    async def record(self, *items: Any, key: str | None = None, **headers: str) -> httpx2.Response:
        """A batch."""
        return await self.post({"transactions": list(items)}, key=key, **headers)

    async def post(self, body: Any, *, key: str | None = None, **headers: str) -> httpx2.Response:
        """Anything, with the secret key of the pair kp_1 unless another is given."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.post("/v1/transactions", json=body, auth=(key or key_text("kp_1"), ""), headers=sent)

    async def move(self, transaction_id: str, status: str, *, key: str | None = None, **more: str) -> httpx2.Response:
        """A status."""
        body = {"status": status} | more
        return await self.http.patch(f"/v1/transactions/{transaction_id}", json=body, auth=(key or key_text("kp_1"), ""))

    async def get(self, path: str, *, account: str = OWNER, app: str = "", **params: Any) -> httpx2.Response:
        """A read of the owner."""
        named = {{"first": "from", "last": "to"}.get(name, name): value for name, value in params.items()}
        return await self.http.get(f"/v1/apps/{app or self.app}/{path}", params=named, headers=tokens.person(account))


def transaction(number: int | str, **changes: Any) -> dict[str, Any]:
    """A transaction of 1.00 EUR, succeeded."""
    return {"transaction_id": f"t-{number}", "amount": "1.00", "currency": "EUR", "status": "succeeded"} | changes


def told(event: PublicEvent, stream_id: str, version: int = 1) -> Envelope:
    """An event of another service, as the consumer hands it on."""
    return Envelope(f"{stream_id}/{version}", "/x", event.event_type, stream_id, MADE, version, 1, OWNER, "corr", None, None, event, {})


def ago(days: float) -> str:
    """A moment, as a caller writes it."""
    return (datetime.now(UTC) - timedelta(days=days)).isoformat()
