"""The plain listener on real Kafka: at least once, in order, and nothing that cannot be read or handled holds the others up."""

import asyncio
import threading
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from latchkey.blocking import listen
from latchkey.consumer import Start
from latchkey.envelope import Envelope
from latchkey.listening import Listener, Unreadable
from latchkey.topics import REGISTRY_APP_STATE

from stack.testing import RealStack
from tests.client.conftest import QUICK
from tests.client.publisher import Publisher, envelope
from tests.shared.until import until

pytestmark = pytest.mark.stack


@pytest.fixture
async def publisher(stack: RealStack) -> AsyncIterator[Publisher]:
    """A topic of the test's own."""
    made = Publisher(stack.kafka.bootstrap, f"test.{uuid.uuid4().hex}")
    await made.start()
    yield made
    await made.stop()


class Ears:
    """What was heard, in order; `refusing` raises for as long as it names the event."""

    def __init__(self) -> None:
        self.heard, self.unreadable, self.refusing = list[tuple[str, int]](), list[Unreadable](), ("", 0)

    async def hear(self, event: Envelope) -> None:
        if (event.subject, event.streamversion) == self.refusing:
            raise ValueError("not yet")
        self.heard.append((event.subject, event.streamversion))

    async def puzzle(self, record: Unreadable) -> None:
        self.unreadable.append(record)

    async def have(self, *events: tuple[str, int]) -> None:
        async def there() -> bool:
            return set(events) <= set(self.heard)

        await until(there, 30)


@asynccontextmanager
async def listening(publisher: Publisher, ears: Ears, **options: Any) -> AsyncIterator[Listener]:
    told: dict[str, Any] = {"policy": QUICK} | options
    listener = Listener(publisher.bootstrap, [publisher.topic], publisher.topic, ears.hear, unreadable=ears.puzzle, **told)
    running = asyncio.create_task(listener.run())
    try:
        yield listener
    finally:
        await listener.stop()
        await running


async def test_a_client_that_worked_for_a_while_is_made_anew_at_once(publisher: Publisher, caplog: pytest.LogCaptureFixture) -> None:
    slower = replace(QUICK, silence_seconds=-1.0, healthy_seconds=0.0, backoff_limit_seconds=60.0)

    async def often() -> bool:
        return caplog.text.count("the Kafka client is made anew") > 12

    async with listening(publisher, Ears(), policy=slower):
        await until(often, 30)


def streams(heard: list[tuple[str, int]]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for stream, version in heard:
        found.setdefault(stream, []).append(version)
    return found


async def test_every_event_is_heard_in_order_and_the_group_goes_on_where_it_was(publisher: Publisher) -> None:
    ears = Ears()
    events = [(f"app_{stream}", version) for version in range(1, 6) for stream in range(10)]
    await publisher.send_all(events)
    async with listening(publisher, ears):
        await ears.have(*events)
    assert streams(ears.heard) == {f"app_{stream}": [1, 2, 3, 4, 5] for stream in range(10)}
    again = Ears()
    await publisher.send("app_1", 6)
    async with listening(publisher, again):
        await again.have(("app_1", 6))
    assert again.heard == [("app_1", 6)]


async def test_what_cannot_be_read_is_handed_over_and_the_partition_goes_on(publisher: Publisher) -> None:
    ears = Ears()
    poison = {
        "unreadable": [b"{not json", b"", envelope("app_1", 2, data={"app_id": 7})],
        "unknown_version": [envelope("app_1", 2, type="registry.AppDisabled.v9")],
        "too_large": [b'"' + b"x" * 5_000_000 + b'"'],
    }
    for raws in poison.values():
        for raw in raws:
            await publisher.send_raw("app_1", raw)
    await publisher.send_raw("app_1", envelope("app_1", 1, type="registry.AppPainted.v1", data={"colour": "red"}))
    await publisher.send("app_1", 2)
    async with listening(publisher, ears):
        await ears.have(("app_1", 2))
    assert ears.heard == [("app_1", 1), ("app_1", 2)]
    assert [record.reason for record in ears.unreadable] == [reason for reason, raws in poison.items() for _ in raws]


async def test_an_event_that_is_refused_comes_again_and_only_its_partition_waits(publisher: Publisher) -> None:
    ears = Ears()
    ears.refusing = ("app_0", 2)
    async with listening(publisher, ears):
        await publisher.send_all([(f"app_{stream}", version) for version in (1, 2, 3) for stream in range(10)])
        other = {(f"app_{stream}", 3) for stream in range(10)}
        await ears.have(("app_0", 1))

        async def others_went_on() -> bool:
            return len(other & set(ears.heard)) >= 2

        await until(others_went_on, 30)
        assert ("app_0", 3) not in ears.heard
        ears.refusing = ("", 0)
        await ears.have(*other)
    assert streams(ears.heard)["app_0"] == [1, 2, 3]


async def test_a_second_member_takes_a_share_and_nothing_is_lost(publisher: Publisher) -> None:
    first, second = Ears(), Ears()
    events = [(f"app_{stream}", version) for version in range(1, 21) for stream in range(10)]
    async with listening(publisher, first):
        await publisher.send_all(events[:100])
        await first.have(*events[:50])
        async with listening(publisher, second):
            await publisher.send_all(events[100:])

            async def all_heard() -> bool:
                return set(events) <= {*first.heard, *second.heard}

            await until(all_heard, 40)


async def test_it_may_begin_at_the_end(publisher: Publisher) -> None:
    ears = Ears()
    await publisher.send("app_1", 1)
    async with listening(publisher, ears, policy=replace(QUICK, start=Start.END)):
        for version in range(2, 200):
            await publisher.send("app_1", version)
            if ears.heard:
                break
            await asyncio.sleep(0.1)
        await ears.have(("app_1", version))
    assert ("app_1", 1) not in ears.heard


async def test_a_topic_of_states_is_refused(publisher: Publisher) -> None:
    with pytest.raises(ValueError, match="topic of states"):
        Listener(publisher.bootstrap, [REGISTRY_APP_STATE], "group", Ears().hear)


async def test_a_program_without_asyncio_listens_too(publisher: Publisher) -> None:
    heard, over = list[int](), threading.Event()

    def hear(event: Envelope) -> None:
        heard.append(event.streamversion)
        if event.streamversion == 3:
            over.set()

    await publisher.send("app_1", 1, 2, 3)
    await asyncio.wait_for(
        asyncio.to_thread(listen, publisher.bootstrap, [publisher.topic], publisher.topic, hear, until=over, policy=QUICK), 60
    )
    assert heard == [1, 2, 3]
