"""Beginning from a topic of states: the snapshot it holds, and a consumer that joins the events where the snapshot ends."""

import signal
import time
import uuid
from dataclasses import replace

import pytest
from latchkey.consumer import begin_from
from latchkey.envelope import splice
from latchkey.statereader import read_states
from latchkey.states import encode_state
from latchkey.topics import BY_NAME, REGISTRY_APP_STATE

from stack.testing import RealStack
from tests.client.conftest import QUICK, Bench
from tests.client.publisher import Publisher

pytestmark = pytest.mark.stack


async def test_a_snapshot_and_the_events_behind_it_join_with_no_gap_and_no_duplicate(bench: Bench) -> None:
    states = Publisher(bench.publisher.bootstrap, f"test.{uuid.uuid4().hex}")
    await states.start()
    try:
        for stream, version in (("app_1", 2), ("app_2", 3), ("app_1", 1), ("app_3", 1)):
            await states.send_raw(stream, splice(encode_state("app", stream, version, {"at": version}).encode(), version))
        await states.send_raw("app_3", None)
        snapshot = await read_states(states.bootstrap, states.topic)
    finally:
        await states.stop()
    versions = {stream: state.streamversion for stream, state in snapshot.states.items()}
    assert versions == {"app_1": 2, "app_2": 3}
    assert snapshot.ended == {"app_3"}

    async with bench.operator() as db:
        await begin_from(db, "rows", versions)
    await bench.publisher.send("app_1", 1, 2, 3)
    await bench.publisher.send("app_2", 4)
    await bench.publisher.send("app_4", 7)
    bench.start(policy=replace(QUICK, began_from_snapshot=True))
    await bench.arrived(app_1=3, app_2=4, app_4=7)
    assert await bench.applied() == {"app_1": [3], "app_2": [4], "app_4": [7]}
    assert await bench.parked() == []


async def test_a_broker_that_freezes_ends_the_reading_in_time(breakable_stack: RealStack) -> None:
    breakable_stack.empty_topics(BY_NAME[REGISTRY_APP_STATE])  # of states that others wrote in a form of their own
    await read_states(breakable_stack.bootstrap, REGISTRY_APP_STATE)
    breakable_stack.kafka.child.send(signal.SIGSTOP)
    try:
        began = time.monotonic()
        with pytest.raises(TimeoutError):
            await read_states(breakable_stack.bootstrap, REGISTRY_APP_STATE, wait_seconds=2)
        assert time.monotonic() - began < 9
    finally:
        breakable_stack.kafka.child.send(signal.SIGCONT)


async def test_an_empty_topic_has_no_states(bench: Bench) -> None:
    assert (await read_states(bench.publisher.bootstrap, bench.publisher.topic)).states == {}
