"""Rebuild: a read model from a log of 100,000 events, beside `eventsourcing`'s projection runner on a log of its own."""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import ClassVar

import asyncpg
from eventsourcing.projection import ProjectionRunner

from benchmarks.append import peer_environment
from benchmarks.measure import QUICK, ROUNDS, Figure, figure, interleaved
from benchmarks.peers import Dog, DogSchool, TrickCounts, TrickProjection
from benchmarks.seed import seed
from shared.rebuild.rebuild import Rebuild, opened
from shared.rebuild.source import PAGE, PAGE_ROWS
from shared.store.migrations import migrate
from shared.store.records import Recorded
from stack.databases import Database
from stack.testing import RealStack
from tests.shared.toy import NO_MIGRATIONS, REGISTRY, Filled, JarEvent

EVENTS, PEER_EVENTS = (20_000, 1_000) if QUICK else (100_000, 4_000)


class Totals:
    """How much is in each jar, written set by set."""

    name: ClassVar[str] = "totals"
    shape: ClassVar[int] = 1
    names: ClassVar[Sequence[str]] = ("totals",)

    def tables(self, suffix: str) -> str:
        """See View."""
        return f"CREATE TABLE totals{suffix} (jar_id text PRIMARY KEY, events int NOT NULL, amount int NOT NULL)"

    def indexes(self, suffix: str) -> str:
        """See View."""
        return f"CREATE INDEX totals{suffix}_amount ON totals{suffix} (amount)"

    async def apply(self, db: asyncpg.Connection, suffix: str, events: Sequence[Recorded[JarEvent]]) -> None:
        """See View."""
        counts, amounts = Counter[str](), Counter[str]()
        for recorded in events:
            if isinstance(recorded.event, Filled):
                counts[recorded.stream_id] += 1
                amounts[recorded.stream_id] += recorded.event.amount
        jars = sorted(counts)
        await db.execute(
            f"""INSERT INTO totals{suffix} AS t SELECT * FROM unnest($1::text[], $2::int[], $3::int[])
                ON CONFLICT (jar_id) DO UPDATE SET events = t.events + excluded.events, amount = t.amount + excluded.amount""",
            jars, [counts[jar] for jar in jars], [amounts[jar] for jar in jars],
        )  # fmt: skip


async def run(stack: RealStack) -> list[Figure]:
    """Events a second, both into PostgreSQL."""
    ours_at = stack.fresh_database("bench")
    await migrate(ours_at.owner, NO_MIGRATIONS, [Totals()])
    await seed(ours_at, EVENTS, views=[Totals()])
    rates = await interleaved(lambda: _ours(ours_at), lambda: _theirs(stack))
    whole, read = await interleaved(lambda: _ours(ours_at), lambda: _read(ours_at), rounds=min(3, ROUNDS))
    return [
        figure("rebuild", f"{EVENTS:,} events", "events/s", *rates, peer="eventsourcing", floor=40_000, goal=100_000),
        figure("rebuild", "as a ratio", "events/s", *rates, peer="eventsourcing", judged="ratio", goal=50),
        figure("rebuild", "beside its reads", "events/s", whole, read, peer="the pages alone", at_the_limit=True),
    ]


async def _ours(database: Database) -> float:
    started = time.perf_counter()
    async with opened(database.owner, REGISTRY, b"k" * 32, Totals()) as parts:
        await Rebuild(parts, Totals()).run()
    return EVENTS / (time.perf_counter() - started)


async def _read(database: Database) -> float:
    """Events a second when what is read is not looked at."""
    db = await asyncpg.connect(database.owner)
    started, after = time.perf_counter(), 0
    while rows := await db.fetch(PAGE, after, sys.maxsize, PAGE_ROWS, None):
        after = rows[-1][0]
    await db.close()
    return EVENTS / (time.perf_counter() - started)


async def _theirs(stack: RealStack) -> float:
    environment = peer_environment(stack.fresh_database("peer"))
    return await asyncio.to_thread(_their_run, environment)


def _their_run(environment: dict[str, str]) -> float:
    school = DogSchool(env=environment)
    for _ in range(PEER_EVENTS // 100):
        dog = Dog("Fido")
        for _ in range(99):
            dog.trick("roll over")
        school.save(dog)
    school.close()
    started = time.perf_counter()
    with ProjectionRunner(application_class=DogSchool, projection_class=TrickProjection, view_class=TrickCounts, env=environment) as runner:
        runner.wait(PEER_EVENTS, timeout=60)
        return PEER_EVENTS / (time.perf_counter() - started)
