"""A topic and a database of its own for each test of the consumer, on the real stack."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest
from latchkey.consumer import Consumer, Handler, Policy, Reactor, install

from stack.databases import Database
from stack.testing import RealStack
from tests.client.publisher import Publisher

QUICK = Policy(
    metadata_seconds=1.0, tend_seconds=0.1, backoff_seconds=0.02, backoff_limit_seconds=0.2, session_timeout_ms=6000, heartbeat_ms=500
)


class Rows:
    """A handler that writes one row per event and would show it if one came twice."""

    async def apply(self, db: asyncpg.Connection, events: Any) -> None:
        await db.executemany("INSERT INTO applied (stream_id, version) VALUES ($1, $2)", [(e.subject, e.streamversion) for e in events])


@dataclass
class Bench:
    """What a test of the consumer works with: what was published, what arrived in the database, and consumers to start and stop."""

    publisher: Publisher
    pool: asyncpg.Pool
    database: Database
    stack: RealStack
    name: str
    _exits: AsyncExitStack
    _running: dict[Consumer, asyncio.Task[None]] = field(default_factory=dict)

    def consumer(self, handler: Handler | Reactor | None = None, policy: Policy = QUICK, **options: Any) -> Consumer:
        """A consumer that is not yet running."""
        topics, bootstrap = [self.publisher.topic], self.publisher.bootstrap
        return Consumer(bootstrap, self.pool, handler or Rows(), topics, self.name, name="rows", policy=policy, **options)

    def start(self, handler: Handler | Reactor | None = None, policy: Policy = QUICK, **options: Any) -> Consumer:
        """A running consumer; it is stopped with the test."""
        made = self.consumer(handler, policy, **options)
        self._running[made] = asyncio.create_task(made.run())
        self._exits.push_async_callback(self.stop, made)
        return made

    async def stop(self, consumer: Consumer) -> None:
        """Stop it and see that it ended in order."""
        await consumer.stop()
        await self._running[consumer]

    @asynccontextmanager
    async def operator(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection of its own, as an operator's command has."""
        db = await asyncpg.connect(self.database.app)
        try:
            yield db
        finally:
            await db.close()

    async def applied(self) -> dict[str, list[int]]:
        """The versions that took effect, by stream, in the order in which they did."""
        rows = await self.pool.fetch("SELECT stream_id, array_agg(version ORDER BY place) FROM applied GROUP BY stream_id")
        return {row[0]: row[1] for row in rows}

    async def parked(self) -> list[tuple[str | None, int | None, str]]:
        """Stream, version and reason of what was put aside."""
        rows = await self.pool.fetch(
            "SELECT stream_id, stream_version, reason FROM latchkey.parked ORDER BY stream_id NULLS FIRST, stream_version"
        )
        return [(row[0], row[1], row[2]) for row in rows]

    async def until(self, holds: Callable[[], Any], seconds: float = 20) -> None:
        """Wait until the condition holds, awaiting it where it has to be."""
        async with asyncio.timeout(seconds):
            while True:
                found = holds()
                if await found if asyncio.iscoroutine(found) else found:
                    return
                await asyncio.sleep(0.02)

    async def arrived(self, **streams: int) -> None:
        """Wait until each stream is applied up to its version."""

        async def there() -> bool:
            applied = await self.applied()
            return all(applied.get(stream, [0])[-1] == version for stream, version in streams.items())

        await self.until(there)


@pytest.fixture
async def bench(stack: RealStack, fresh_database: Callable[[str], Database]) -> AsyncIterator[Bench]:
    """A topic, a database whose owner installed the consumer's tables, and a pool of the app role."""
    database = fresh_database("consumer")
    owner = await asyncpg.connect(database.owner)
    await install(owner)
    await owner.execute("CREATE TABLE applied (place bigserial, stream_id text NOT NULL, version int NOT NULL)")
    await owner.execute(
        f"GRANT USAGE ON SCHEMA latchkey TO {database.name}_app;"
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA latchkey TO {database.name}_app;"
        f"GRANT SELECT, INSERT ON applied TO {database.name}_app; GRANT USAGE ON applied_place_seq TO {database.name}_app"
    )
    await owner.close()
    name = f"test.{uuid.uuid4().hex}"
    async with AsyncExitStack() as exits:
        pool = await exits.enter_async_context(asyncpg.create_pool(database.app, min_size=1, max_size=6))
        publisher = Publisher(stack.kafka.bootstrap, name)
        await publisher.start()
        exits.push_async_callback(publisher.stop)
        yield Bench(publisher, pool, database, stack, name, exits)
