"""Ingest: transactions over HTTP in batches of 500, beside a bare `unnest` insert of the same rows into a plain table."""

import asyncio
import itertools
import json
import time
from datetime import UTC, datetime

import asyncpg

from benchmarks.measure import QUICK, Figure, figure, interleaved
from benchmarks.serving import Running, with_keys
from tests.product import Product

BATCH, BATCHES, CONNECTIONS = 500, 8 if QUICK else 40, 4
ALONE = 20 if QUICK else 150
_TABLE = "CREATE TABLE bare (id text PRIMARY KEY, amount numeric, currency text, status text, occurred_at timestamptz, body json)"
_INSERT = "INSERT INTO bare SELECT * FROM unnest($1::text[], $2::numeric[], $3::text[], $4::text[], $5::timestamptz[], $6::json[])"


async def run(product: Product) -> list[Figure]:
    """Transactions a second, durable before the answer."""
    database = product.stack.fresh_database("bench")
    serial = itertools.count()
    async with with_keys(product) as running:
        running.server("metrics-main")
        db = await asyncpg.connect(database.owner)
        await db.execute(_TABLE)
        running.product.freeze("metrics-worker")  # the relay would take a share of the core that the peer has to itself
        rates = await interleaved(lambda: _ours(running, serial), lambda: _theirs(db, serial))
        running.product.thaw("metrics-worker")
        whole, _ = await interleaved(lambda: _ours(running, serial))
        single = await _beside_batches(running, serial)
        await db.close()
    return [
        figure("ingest", f"batches of {BATCH}, relay paused", "tx/s", *rates, peer="bare unnest insert", floor=10_000),
        figure("ingest", "as a share", "tx/s", *rates, peer="bare unnest insert", judged="ratio", goal=0.5, at_the_limit=True),
        figure("ingest", "with everything running", "tx/s", whole),
        figure("ingest", "one transaction beside batches, p50", "ms", [single[len(single) // 2]]),
        figure("ingest", "one transaction beside batches, p99", "ms", [single[int(0.99 * len(single))]]),
    ]


def _batch(serial: "itertools.count[int]") -> list[dict[str, str]]:
    now = datetime.now(UTC).isoformat()
    return [
        {"transaction_id": f"bench-{next(serial)}", "amount": "12.34", "currency": "USD", "status": "succeeded", "occurred_at": now}
        for _ in range(BATCH)
    ]


async def _beside_batches(running: Running, serial: "itertools.count[int]") -> list[float]:
    """Milliseconds of transactions that are sent one by one while another client sends batches, each as soon as the last is answered."""
    ended, took = asyncio.Event(), list[float]()

    async def batches() -> None:
        while not ended.is_set():
            await _send(running, json.dumps({"transactions": _batch(serial)}))

    sending = asyncio.create_task(batches())
    for item in (_batch(serial)[0] for _ in range(ALONE)):
        started = time.perf_counter()
        await _send(running, json.dumps(item))
        took.append(1000 * (time.perf_counter() - started))
        await asyncio.sleep(0.02)
    ended.set()
    await sending
    return sorted(took)


async def _send(running: Running, body: str) -> None:
    answer = await running.developer.http.post(
        f"{running.product.at['metrics']}/v1/transactions",
        content=body, headers={"Content-Type": "application/json"}, auth=(running.pair["secret_key"], ""),
    )  # fmt: skip
    if answer.status_code != 201:
        raise RuntimeError(answer.text[:300])


async def _ours(running: Running, serial: "itertools.count[int]") -> float:
    bodies = [json.dumps({"transactions": _batch(serial)}) for _ in range(BATCHES)]
    started = time.perf_counter()

    async def send(share: list[str]) -> None:
        for body in share:
            await _send(running, body)

    await asyncio.gather(*(send(bodies[n::CONNECTIONS]) for n in range(CONNECTIONS)))
    return BATCH * BATCHES / (time.perf_counter() - started)


async def _theirs(db: asyncpg.Connection, serial: "itertools.count[int]") -> float:
    batches = [_batch(serial) for _ in range(BATCHES)]
    started = time.perf_counter()
    for batch in batches:
        await db.execute(
            _INSERT,
            [item["transaction_id"] for item in batch], [item["amount"] for item in batch], [item["currency"] for item in batch],
            [item["status"] for item in batch], [datetime.fromisoformat(item["occurred_at"]) for item in batch],
            [json.dumps(item) for item in batch],
        )  # fmt: skip
    return BATCH * BATCHES / (time.perf_counter() - started)
