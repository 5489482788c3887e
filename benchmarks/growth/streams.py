"""Appending to one of 1,000 to 1,000,000 streams: one that the process remembers, and one that it reads from the log first."""

import asyncio
import os
import random
from collections.abc import Sequence

import asyncpg

from benchmarks.growth.curves import Curve
from benchmarks.measure import QUICK
from shared.store.aggregates import Aggregates
from shared.store.migrations import migrate
from shared.store.postgres import StoreSettings, open_store
from shared.wake import LocalWake
from stack.databases import Database
from stack.testing import RealStack
from tests.shared.toy import JAR, NO_MIGRATIONS, Filling, Jar, JarEvent, context

SIZES = (1_000, 10_000) if QUICK else (1_000, 10_000, 100_000, 1_000_000)
WRITERS, APPENDS, ROUNDS = 32, 2_000, 3
# The first event of a stream, once for each of many: what is measured reads the latest rows of a stream and adds to them.
_MORE = """
INSERT INTO es.events (stream_type, stream_id, version, type, schema_version, data, public, public_type, public_version, states, hash, meta,
    recorded_at)
SELECT stream_type, 'jar_' || n, version, type, schema_version, data, public, public_type, public_version, states, hash, meta, recorded_at
FROM es.events CROSS JOIN generate_series($1::bigint, $2::bigint - 1) n WHERE stream_id = 'jar_0' AND version = 1
"""


async def run(stack: RealStack) -> Curve:
    """Microseconds of our CPU for one append, and of the whole's wall time, of 32 writers; the smallest of three rounds."""
    database = stack.fresh_database("bench")
    await migrate(database.owner, NO_MIGRATIONS, [])
    lines: dict[str, list[float]] = {}
    held = 0
    for size in SIZES:
        await _fill(database, held, size)
        held = size
        for name, taken in (await _appends(database, size)).items():
            lines.setdefault(name, []).append(taken)
    return Curve("streams", f"One append, {WRITERS} writers", "streams in the log", "µs", SIZES, lines)


async def _fill(database: Database, first: int, last: int) -> None:
    if first == 0:
        async with open_store(StoreSettings(database.app, b"k" * 32), [], {}, LocalWake()) as (store, _):
            await Aggregates(JAR, store).decide("jar_0", Filling(1), context())
    db = await asyncpg.connect(database.owner)
    await db.execute(_MORE, max(first, 1), last, timeout=1800)
    await db.execute("VACUUM ANALYZE es.events", timeout=1800)
    await db.close()


async def _appends(database: Database, size: int) -> dict[str, float]:
    taken: dict[str, float] = {}
    chosen = random.Random(size)  # noqa: S311  # which streams, the same in every run
    async with open_store(StoreSettings(database.app, b"k" * 32), [], {}, LocalWake()) as (store, _):
        for _ in range(ROUNDS):
            jars: Aggregates[Jar, JarEvent] = Aggregates(JAR, store)
            streams = [f"jar_{chosen.randrange(size)}" for _ in range(APPENDS)]
            for name in ("read first", "remembered"):
                for what, value in zip((f"{name}, CPU", f"{name}, wall"), await _one_round(jars, streams), strict=True):
                    taken[what] = min(value, taken.get(what, value))
    return taken


async def _one_round(jars: Aggregates[Jar, JarEvent], streams: Sequence[str]) -> tuple[float, float]:
    left, who = list(streams), context()

    async def write() -> None:
        while left:
            await jars.decide(left.pop(), Filling(1), who)

    before, started = sum(os.times()[:2]), asyncio.get_running_loop().time()
    await asyncio.gather(*(write() for _ in range(WRITERS)))
    wall, cpu = asyncio.get_running_loop().time() - started, sum(os.times()[:2]) - before
    return 1e6 * cpu / len(streams), 1e6 * wall / len(streams)
