"""The relay's promise: every event at least once, first occurrences in version order, the same bytes each time."""

import asyncio
import json

import asyncpg
import pytest
from latchkey.topics import REGISTRY_APP_EVENTS

from shared.relay.cursor import rewind
from shared.store.aggregates import Aggregates
from stack.databases import Database
from stack.testing import RealStack
from tests.shared.contract.conftest import opened
from tests.shared.relay.harness import end, fill, fill_many, first_occurrences, position, published, records, relaying, spawn
from tests.shared.toy import JAR, STATE_TOPIC, Jar, JarEvent, Labelling, context
from tests.shared.until import until

pytestmark = pytest.mark.stack


async def test_events_and_states_arrive_complete_in_order_and_with_their_headers(database: Database, stack: RealStack) -> None:
    prefix = database.name
    async with opened(database) as store, relaying(database, stack.bootstrap) as relay:
        await fill_many(store, prefix, streams=15, times=20)
        relay.wake.publish()
        await until(lambda: published(database))
    events = await records(stack.bootstrap, REGISTRY_APP_EVENTS, prefix)
    assert first_occurrences(events) == {f"{prefix}_{n}": list(range(1, 21)) for n in range(15)}
    states = {record.key: json.loads(record.value or b"{}") for record in await records(stack.bootstrap, STATE_TOPIC, prefix)}
    assert {key: (state["streamversion"], state["count"]) for key, state in states.items()} == dict.fromkeys(
        (f"{prefix}_{n}" for n in range(15)), (20, 20)
    )


async def test_private_events_move_the_cursor_and_publish_nothing(database: Database, stack: RealStack) -> None:
    prefix = database.name
    async with opened(database) as store, relaying(database, stack.bootstrap):
        jars: Aggregates[Jar, JarEvent] = Aggregates(JAR, store)
        await jars.decide(f"{prefix}_1", Labelling("plums"), context())
        await until(lambda: published(database))
    assert await position(database) == 1
    assert await records(stack.bootstrap, REGISTRY_APP_EVENTS, prefix) == []


async def test_more_than_a_batch_holds_goes_to_one_partition_in_order(database: Database, stack: RealStack) -> None:
    prefix = database.name
    async with opened(database) as store:
        await fill(store, f"{prefix}_big", times=20, label="x" * 150_000)
        async with relaying(database, stack.bootstrap) as relay:
            await until(lambda: published(database), 20)
            assert relay.gauges.discarded._value.get() == 0
    assert first_occurrences(await records(stack.bootstrap, REGISTRY_APP_EVENTS, prefix)) == {f"{prefix}_big": list(range(1, 21))}


async def test_a_rewind_publishes_the_same_bytes_again(database: Database, stack: RealStack) -> None:
    prefix = database.name
    async with opened(database) as store, relaying(database, stack.bootstrap) as relay:
        await fill_many(store, prefix, streams=3, times=4)
        relay.wake.publish()
        await until(lambda: published(database))
        db = await asyncpg.connect(database.app)
        try:
            assert await rewind(db, 0) == 12
        finally:
            await db.close()
        assert await position(database) == 0
        await until(lambda: published(database))
    found = await records(stack.bootstrap, REGISTRY_APP_EVENTS, prefix)
    once = {record.value for record in found}
    assert len(found) == 24
    assert len(once) == 12


@pytest.mark.parametrize("point", ["relay.after_read", "relay.after_produce", "relay.before_cursor"])
async def test_a_relay_killed_anywhere_loses_nothing_and_keeps_the_order(database: Database, stack: RealStack, point: str) -> None:
    prefix = database.name
    async with opened(database) as store:
        filling = asyncio.create_task(fill_many(store, prefix, streams=10, times=30))
        for _ in range(2):
            dying = await spawn(database, stack.bootstrap, point)
            try:
                assert await asyncio.wait_for(dying.wait(), 30) == 137
            finally:
                await end(dying)
        living = await spawn(database, stack.bootstrap)
        try:
            await filling
            await until(lambda: published(database), 30)
        finally:
            await end(living)
    found = await records(stack.bootstrap, REGISTRY_APP_EVENTS, prefix)
    assert first_occurrences(found) == {f"{prefix}_{n}": list(range(1, 31)) for n in range(10)}
    if point != "relay.after_read":
        assert len(found) > 300, "the crash came after producing, so something must have been sent twice"


async def test_a_frozen_leader_is_replaced_and_does_no_harm_when_it_resumes(database: Database, stack: RealStack) -> None:
    prefix = database.name
    first = await spawn(database, stack.bootstrap)
    second = None
    try:
        async with opened(database) as store:
            await fill_many(store, prefix, streams=5, times=5)
            await until(lambda: published(database), 20)
            second = await spawn(database, stack.bootstrap)
            filling = asyncio.create_task(fill_many(store, f"{prefix}_more", streams=10, times=40))
            first.send_signal(19)  # SIGSTOP
            await filling
            await until(lambda: published(database), 20)
            first.send_signal(18)  # SIGCONT
            await fill_many(store, f"{prefix}_last", streams=10, times=20)
            await until(lambda: published(database), 20)
            await asyncio.sleep(1)
    finally:
        for process in filter(None, (first, second)):
            await end(process)
    versions = first_occurrences(await records(stack.bootstrap, REGISTRY_APP_EVENTS, prefix))
    assert versions == {
        **{f"{prefix}_{n}": list(range(1, 6)) for n in range(5)},
        **{f"{prefix}_more_{n}": list(range(1, 41)) for n in range(10)},
        **{f"{prefix}_last_{n}": list(range(1, 21)) for n in range(10)},
    }
    states = {record.key: json.loads(record.value or b"{}")["count"] for record in await records(stack.bootstrap, STATE_TOPIC, prefix)}
    assert states == {stream: count[-1] for stream, count in versions.items()}


async def test_only_one_of_two_publishes(database: Database, stack: RealStack) -> None:
    async with relaying(database, stack.bootstrap) as one, relaying(database, stack.bootstrap) as two, opened(database) as store:
        await fill_many(store, database.name, streams=3, times=10)
        await until(lambda: published(database))
        leading = [relay.gauges.leading._value.get() for relay in (one, two)]
        sent = [relay.gauges.sent._value.get() for relay in (one, two)]
    assert sorted(leading) == [0, 1]
    assert sorted(sent) == [0, 30]
