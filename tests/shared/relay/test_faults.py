"""What the relay does when Kafka is away, forgets, or holds what an earlier leader wrote too late."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer
from latchkey.partitioning import partition_of
from latchkey.topics import REGISTRY_APP_EVENTS

from shared.relay.sweep import position_of
from shared.store.aggregates import Aggregates
from shared.store.contract import Store
from shared.store.migrations import migrate
from stack.databases import Database
from stack.testing import RealStack
from tests.shared.contract.conftest import opened
from tests.shared.relay.harness import Running, fill, fill_many, first_occurrences, published, records, relaying
from tests.shared.toy import JAR, NO_MIGRATIONS, STATE_TOPIC, Filling, Jars, context
from tests.shared.until import until

pytestmark = pytest.mark.stack


@pytest.fixture
def breakable_database(breakable_stack: RealStack) -> Iterator[Database]:
    """An empty database on the stack that may be broken."""
    made = breakable_stack.fresh_database("toy")
    yield made
    breakable_stack.drop(made)


async def last_states(bootstrap: str, prefix: str) -> dict[str, int]:
    """The position that the last state record of each key carries."""
    return {record.key: position_of(record.value) for record in await records(bootstrap, STATE_TOPIC, prefix)}


async def send(bootstrap: str, key: str, value: bytes | None) -> None:
    """Write into the state topic as a former leader would: behind the relay's back."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        await producer.send_and_wait(STATE_TOPIC, value, key=key.encode(), partition=partition_of(key))


def count(relay: Running, name: str) -> float:
    value = relay.registry.get_sample_value(name)
    return -1.0 if value is None else value


@pytest.mark.parametrize("stale", [b'{"globalposition":"1","streamversion":1,"count":1}', None], ids=["an older state", "a tombstone"])
async def test_a_stale_state_that_came_last_is_put_right(database: Database, stack: RealStack, stale: bytes | None) -> None:
    prefix = database.name
    async with opened(database) as store, relaying(database, stack.bootstrap) as relay:
        await fill_many(store, prefix, streams=3, times=5)
        await until(lambda: published(database))
        right = await last_states(stack.bootstrap, prefix)
        await send(stack.bootstrap, f"{prefix}_1", stale)

        async def repaired() -> bool:
            return count(relay, "relay_states_repaired_total") == 1

        await until(repaired)
        assert await last_states(stack.bootstrap, prefix) == right
        assert count(relay, "relay_producers_discarded_total") == 0


async def test_a_stale_state_written_while_nobody_led_is_put_right_at_the_take_over(database: Database, stack: RealStack) -> None:
    prefix = database.name
    async with opened(database) as store:
        async with relaying(database, stack.bootstrap):
            await fill_many(store, prefix, streams=3, times=5)
            await until(lambda: published(database))
        right = await last_states(stack.bootstrap, prefix)
        await send(stack.bootstrap, f"{prefix}_2", b'{"globalposition":"2","streamversion":1,"count":1}')
        assert await last_states(stack.bootstrap, prefix) != right
        async with relaying(database, stack.bootstrap) as relay:

            async def repaired() -> bool:
                return count(relay, "relay_states_repaired_total") == 1

            await until(repaired)
    assert await last_states(stack.bootstrap, prefix) == right


async def test_a_cursor_that_somebody_moved_ends_the_session_and_nothing_is_lost(database: Database, stack: RealStack) -> None:
    prefix = database.name
    async with opened(database) as store, relaying(database, stack.bootstrap) as relay:
        filling = asyncio.create_task(fill_many(store, prefix, streams=10, times=60))
        db = await asyncpg.connect(database.app)
        try:
            for _ in range(3):

                async def moved_back() -> bool:
                    return await db.fetchval("UPDATE es.relay SET position = position - 20 WHERE position >= 20 RETURNING 1") is not None

                await until(moved_back)
                await asyncio.sleep(0.2)
        finally:
            await db.close()
        await filling
        await until(lambda: published(database))
        assert count(relay, "relay_producers_discarded_total") >= 1
    found = await records(stack.bootstrap, REGISTRY_APP_EVENTS, prefix)
    assert first_occurrences(found) == {f"{prefix}_{n}": list(range(1, 61)) for n in range(10)}
    assert len(found) > 600


async def test_kafka_away_from_the_start_and_stopped_under_load_loses_nothing(
    breakable_stack: RealStack, breakable_database: Database
) -> None:
    stack, database, prefix = breakable_stack, breakable_database, breakable_database.name
    await migrate(database.owner, NO_MIGRATIONS, [Jars()])
    await asyncio.to_thread(stack.kafka.stop)
    async with opened(database) as store, relaying(database, stack.bootstrap) as relay:
        an_hour_ago = context(now=datetime.now(UTC) - timedelta(hours=1))
        await Aggregates(JAR, store).decide(f"{prefix}_old", Filling(1), an_hour_ago)
        await fill_many(store, prefix, streams=5, times=5)
        pool = await asyncpg.create_pool(database.app, min_size=1, max_size=1)
        watching = asyncio.create_task(relay.gauges.watch(pool))

        async def behind() -> bool:
            return count(relay, "relay_events_behind") == 26

        await until(behind)
        assert 3_600 < relay.gauges.oldest_seconds < 3_700
        await asyncio.to_thread(stack.kafka.start)
        await until(lambda: published(database), 30)
        await fill_many(store, f"{prefix}_more", streams=5, times=5)
        await asyncio.to_thread(stack.kafka.kill)
        await fill_many(store, f"{prefix}_last", streams=5, times=5)
        await asyncio.to_thread(stack.kafka.start)
        await until(lambda: published(database), 30)

        async def young() -> bool:
            return relay.gauges.oldest_seconds == 0

        await until(young)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await pool.close()
        assert count(relay, "relay_producers_discarded_total") >= 1
    found = first_occurrences(await records(stack.bootstrap, REGISTRY_APP_EVENTS, prefix))
    assert found.pop(f"{prefix}_old") == [1]
    assert found == {f"{prefix}{part}_{n}": [1, 2, 3, 4, 5] for part in ("", "_more", "_last") for n in range(5)}


async def test_a_kafka_that_came_back_empty_under_load_is_given_everything_again(
    breakable_stack: RealStack, breakable_database: Database
) -> None:
    """The relay writes on before it looks: what it wrote lies where what is gone has been, and in the new topic before it."""
    stack, database, prefix = breakable_stack, breakable_database, breakable_database.name
    await migrate(database.owner, NO_MIGRATIONS, [Jars()])
    async with opened(database) as store, relaying(database, stack.bootstrap) as relay:
        await fill_many(store, prefix, streams=5, times=5)
        await until(lambda: published(database))
        going_on = asyncio.create_task(_steadily(store, f"{prefix}_0", 300))
        await asyncio.to_thread(stack.empty_topics)
        await going_on
        await fill_many(store, prefix, streams=5, times=1)

        async def noticed() -> bool:
            return count(relay, "relay_partitions_lost_records_total") > 0

        await until(noticed, 20)
        await until(lambda: published(database), 30)
    found = first_occurrences(await records(stack.bootstrap, REGISTRY_APP_EVENTS, prefix))
    found = {key: sorted(versions) for key, versions in found.items()}
    assert found == {f"{prefix}_0": list(range(1, 307)), **{f"{prefix}_{n}": list(range(1, 7)) for n in range(1, 5)}}


async def _steadily(store: Store, stream: str, times: int) -> None:
    for _ in range(times):
        await fill(store, stream, 1)
        await asyncio.sleep(0.01)


async def test_a_kafka_that_came_back_empty_is_given_everything_again(breakable_stack: RealStack, breakable_database: Database) -> None:
    stack, database, prefix = breakable_stack, breakable_database, breakable_database.name
    await migrate(database.owner, NO_MIGRATIONS, [Jars()])
    async with opened(database) as store, relaying(database, stack.bootstrap) as relay:
        await fill_many(store, prefix, streams=5, times=5)
        await until(lambda: published(database))
        states = await last_states(stack.bootstrap, prefix)
        await asyncio.to_thread(stack.empty_topics)

        async def noticed() -> bool:
            return count(relay, "relay_partitions_lost_records_total") > 0

        await until(noticed, 20)
        await fill_many(store, f"{prefix}_more", streams=2, times=3)
        await until(lambda: published(database), 20)
    found = first_occurrences(await records(stack.bootstrap, REGISTRY_APP_EVENTS, prefix))
    again = await last_states(stack.bootstrap, prefix)
    assert found == {
        **{f"{prefix}_{n}": [1, 2, 3, 4, 5] for n in range(5)},
        **{f"{prefix}_more_{n}": [1, 2, 3] for n in range(2)},
    }
    assert {key: at for key, at in again.items() if "more" not in key} == states
