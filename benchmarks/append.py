"""Append: 32 writers, one event each time, durable and gap-safe, beside `eventsourcing` from PyPI on the same PostgreSQL."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from benchmarks.measure import QUICK, Figure, figure, interleaved
from benchmarks.peers import Dog, DogSchool
from shared.store.aggregates import Aggregates
from shared.store.migrations import migrate
from shared.store.postgres import StoreSettings, open_store
from shared.wake import LocalWake
from stack.databases import Database
from stack.testing import RealStack
from tests.shared.toy import JAR, NO_MIGRATIONS, Filling, Jar, JarEvent, context

WRITERS = 32
SECONDS = 1.0 if QUICK else 2.0


async def run(stack: RealStack) -> list[Figure]:
    """One line: events a second."""
    ours_at, theirs_at = stack.fresh_database("bench"), stack.fresh_database("peer")
    await migrate(ours_at.owner, NO_MIGRATIONS, [])
    school = DogSchool(env=peer_environment(theirs_at))
    try:
        async with open_store(StoreSettings(ours_at.app, b"k" * 32), [], {}, LocalWake()) as (store, _):
            jars: Aggregates[Jar, JarEvent] = Aggregates(JAR, store)
            ours, theirs = await interleaved(lambda: _ours(jars), lambda: _theirs(school))
    finally:
        school.close()
    return [
        figure("append", f"{WRITERS} writers", "events/s", ours, theirs, peer="eventsourcing", floor=10_000, goal=50_000),
    ]


async def _ours(jars: Aggregates[Jar, JarEvent]) -> float:
    done, until = 0, time.perf_counter() + SECONDS

    async def write(number: int) -> None:
        nonlocal done
        who = context()
        while time.perf_counter() < until:
            await jars.decide(f"jar_{number}", Filling(1), who)
            done += 1

    await asyncio.gather(*(write(number) for number in range(WRITERS)))
    return done / SECONDS


async def _theirs(school: DogSchool) -> float:
    until = time.perf_counter() + SECONDS

    def write(_: int) -> int:
        dog, done = Dog("Fido"), 0
        while time.perf_counter() < until:
            dog.trick("roll over")
            school.save(dog)
            done += 1
        return done

    with ThreadPoolExecutor(WRITERS) as pool:
        counts = await asyncio.gather(*(asyncio.get_running_loop().run_in_executor(pool, write, n) for n in range(WRITERS)))
    return sum(counts) / SECONDS


def peer_environment(database: Database) -> dict[str, str]:
    """How `eventsourcing` is told where its PostgreSQL is."""
    url = urlsplit(database.owner)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": database.name,
        "POSTGRES_HOST": url.hostname or "",
        "POSTGRES_PORT": str(url.port),
        "POSTGRES_USER": url.username or "",
        "POSTGRES_PASSWORD": url.password or "",
        "POSTGRES_POOL_SIZE": str(WRITERS),
        "POSTGRES_MAX_OVERFLOW": str(WRITERS),
    }
