"""The consumer while Kafka or PostgreSQL is away: it waits, says so, and goes on by itself with nothing lost or doubled."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from latchkey.consumer import Consumer, install

from stack.testing import RealStack
from tests.client.conftest import QUICK, Rows
from tests.client.publisher import Publisher

pytestmark = pytest.mark.stack


@asynccontextmanager
async def consuming(stack: RealStack, topic: str) -> AsyncIterator[tuple[Publisher, Consumer, asyncpg.Pool]]:
    """A publisher and a running consumer on a database of its own."""
    database = stack.fresh_database("outage")
    publisher = Publisher(stack.kafka.bootstrap, topic)
    async with asyncpg.create_pool(database.owner, min_size=1, max_size=4) as pool:
        owner = await asyncpg.connect(database.owner)
        await install(owner)
        await owner.execute("CREATE TABLE applied (place bigserial, stream_id text NOT NULL, version int NOT NULL)")
        await owner.close()
        await publisher.start()
        consumer = Consumer(stack.kafka.bootstrap, pool, Rows(), [topic], topic, name="rows", policy=QUICK)
        running = asyncio.create_task(consumer.run())
        yield publisher, consumer, pool
        await consumer.stop()
        await running
        await publisher.stop()


async def test_kafka_killed_and_started_again(breakable_stack: RealStack) -> None:
    async with consuming(breakable_stack, "test.kafka.outage") as (publisher, consumer, pool):
        await publisher.send("app_1", 1, 2)
        assert await consumer.wait_for("app_1", 2, 10)
        await asyncio.to_thread(breakable_stack.kafka.kill)
        await asyncio.sleep(1)
        assert consumer.status.age_seconds > 0.5
        await asyncio.to_thread(breakable_stack.start)
        await publisher.send("app_1", 3)
        assert await consumer.wait_for("app_1", 3, 30)
        assert await versions(pool) == [1, 2, 3]


async def test_postgres_killed_and_started_again(breakable_stack: RealStack) -> None:
    async with consuming(breakable_stack, "test.postgres.outage") as (publisher, consumer, pool):
        await publisher.send("app_1", 1)
        assert await consumer.wait_for("app_1", 1, 10)
        await asyncio.to_thread(breakable_stack.postgres.kill)
        await publisher.send("app_1", 2, 3)
        await asyncio.sleep(1)
        assert consumer.status.running
        assert consumer.status.failures > 0
        await asyncio.to_thread(breakable_stack.start)
        assert await consumer.wait_for("app_1", 3, 30)
        assert await versions(pool) == [1, 2, 3]


async def versions(pool: asyncpg.Pool) -> list[int]:
    return [row[0] for row in await pool.fetch("SELECT version FROM applied ORDER BY place")]
