"""Beats: four within a bound, each after everything that was committed before it began, and silent while that cannot be said."""

import asyncio
import itertools
from dataclasses import replace

import pytest
from latchkey.beats import Beat, boot_clock, decode_beat
from latchkey.topics import BY_NAME, KEYS_VERIFIER_STATE, REGISTRY_APP_EVENTS

from shared.relay.heartbeat import Heartbeat
from stack.databases import Database
from stack.testing import RealStack
from tests.shared.contract.conftest import opened
from tests.shared.relay.harness import TOPICS, fill_many, records, relaying
from tests.shared.until import until

pytestmark = pytest.mark.stack
BOUND = 0.4


async def beats(stack: RealStack, topic: str) -> list[Beat]:
    return [decode_beat(record.value or b"") for record in await records(stack.bootstrap, topic, "!")]


async def test_beats_come_four_a_bound_and_tell_how_long_the_one_before_took(database: Database, stack: RealStack) -> None:
    topic = replace(BY_NAME[KEYS_VERIFIER_STATE], name=f"{database.name}.beats")
    await asyncio.to_thread(stack.make_topics, topic)
    async with relaying(database, stack.bootstrap, topics=[*TOPICS, topic], heartbeat=Heartbeat(topic.name, BOUND)):

        async def many() -> bool:
            return len(await beats(stack, topic.name)) >= 12

        await until(many, 30)
    found = await beats(stack, topic.name)
    [leader] = {beat.leader for beat in found}
    assert [beat.number for beat in found] == list(range(1, len(found) + 1))
    assert found[0].d is None
    assert all(0 < (beat.d or 0) < 5 for beat in found[1:])
    assert min(later.as_of - earlier.as_of for earlier, later in itertools.pairwise(found)) >= BOUND / 4
    assert leader


async def test_what_was_committed_before_a_beat_began_is_on_kafka_before_it(database: Database, stack: RealStack) -> None:
    topic = replace(BY_NAME[KEYS_VERIFIER_STATE], name=f"{database.name}.beats")
    await asyncio.to_thread(stack.make_topics, topic)
    async with (
        opened(database) as store,
        relaying(database, stack.bootstrap, topics=[*TOPICS, topic], heartbeat=Heartbeat(topic.name, BOUND)),
    ):
        for n in range(3):
            await fill_many(store, f"{database.name}_{n}", streams=4, times=5)
            committed = boot_clock()

            async def told(committed: float = committed) -> bool:
                return any(beat.as_of > committed for beat in await beats(stack, topic.name))

            await until(told, 20)
            assert len(await records(stack.bootstrap, REGISTRY_APP_EVENTS, f"{database.name}_{n}")) == 20


async def test_no_beat_comes_while_kafka_is_behind(database: Database, stack: RealStack) -> None:
    """A topic of the service is missing, so it cannot be said that everything is published."""
    topic = replace(BY_NAME[KEYS_VERIFIER_STATE], name=f"{database.name}.beats")
    missing = replace(topic, name=f"{database.name}.missing")
    await asyncio.to_thread(stack.make_topics, topic)
    async with relaying(database, stack.bootstrap, topics=[*TOPICS, topic, missing], heartbeat=Heartbeat(topic.name, BOUND)):
        await asyncio.sleep(2)
    assert await beats(stack, topic.name) == []
