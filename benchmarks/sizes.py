"""Bytes: what a transaction and a pair of keys take in PostgreSQL and in Kafka, measured on the running product."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import asyncpg

from benchmarks.measure import QUICK, Figure, figure
from benchmarks.serving import Running, published, with_keys
from tests.product import Product

BATCH, BATCHES, APPS, AT_ONCE = 500, 8 if QUICK else 40, 64 if QUICK else 304, 8
_TABLES: Final = """
SELECT coalesce(sum(pg_total_relation_size(c.oid)) FILTER (WHERE c.oid = 'es.events'::regclass), 0)::bigint,
    coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
"""  # with indexes and TOAST; without the write-ahead log, whose length is a setting


@dataclass(frozen=True)
class Held:
    """Bytes at one moment."""

    events: int
    tables: int
    kafka: int


async def run(product: Product) -> list[Figure]:
    """What one more of each costs, indexes included."""
    async with with_keys(product) as running:
        of_transactions = await _more(running, "metrics", BATCH * BATCHES, _transactions)
        of_pairs = await _more(running, "keys", 2 * APPS, _pairs)
    return [
        figure("sizes", f"{what}, {where}", "bytes", [taken])
        for what, held in (("a transaction", of_transactions), ("a pair of keys", of_pairs))
        for where, taken in (("its event in PostgreSQL", held.events), ("all in PostgreSQL", held.tables), ("Kafka", held.kafka))
    ]


async def _more(running: Running, service: str, number: int, make: Callable[[Running], Awaitable[None]]) -> Held:
    before = await _held(running, service)
    await make(running)
    after = await _held(running, service)
    return Held(*(round((now - was) / number) for was, now in zip(_figures(before), _figures(after), strict=True)))


def _figures(held: Held) -> Iterable[int]:
    return held.events, held.tables, held.kafka


async def _held(running: Running, service: str) -> Held:
    await published(running.product, service)
    db = await asyncpg.connect(running.product.services[service].database.owner)
    try:
        [(events, tables)] = await db.fetch(_TABLES)
    finally:
        await db.close()
    # A segment's length is what was written; its indexes are made at full length and sparse.
    logs = (running.product.layout.data / "kafka" / "log").glob(f"{service}.*/*.log")
    return Held(events, tables, sum(file.stat().st_size for file in logs))


async def _transactions(running: Running) -> None:
    for batch in range(BATCHES):
        items = [
            {
                "transaction_id": f"size-{batch}-{number}", "amount": "12.34", "currency": "USD", "status": "succeeded",
                "occurred_at": datetime.now(UTC).isoformat(),
            }
            for number in range(BATCH)
        ]  # fmt: skip
        answer = await running.developer.http.post(
            f"{running.product.at['metrics']}/v1/transactions", content=json.dumps({"transactions": items}),
            headers={"Content-Type": "application/json"}, auth=(running.pair["secret_key"], ""),
        )  # fmt: skip
        answer.raise_for_status()


async def _pairs(running: Running) -> None:
    person = running.developer

    async def some(number: int) -> None:
        for _ in range(number):
            app = (await person.add_app())["app_id"]
            while (await person.call("GET", "keys", f"/v1/apps/{app}/keys")).status_code != 200:  # noqa: ASYNC110  # keys hears of it over Kafka
                await asyncio.sleep(0.05)
            for environment in ("live", "test"):
                await person.generate(app, environment)

    await asyncio.gather(*(some(APPS // AT_ONCE) for _ in range(AT_ONCE)))
