"""Kafka lost what it had acknowledged, and a leader wrote on before it looked: the next one sends everything again that is gone."""

from collections.abc import AsyncIterator, Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from shared.relay.gauges import Gauges
from shared.relay.offsets import LostRecords, Offsets, Place
from shared.relay.outlet import LOG_HEADER
from shared.relay.session import Session

PLACE = ("registry.app.events.v1", 0)
NAME = "b2f8"


class Partition:
    """One partition as Kafka holds it: the positions of its records; and the connection that knows the log's name."""

    def __init__(self, positions: list[int]) -> None:
        self.positions = positions

    async def ends(self) -> dict[Place, int]:
        return {PLACE: len(self.positions)}

    async def records(self, ranges: Mapping[Place, tuple[int, int]]) -> AsyncIterator[Any]:
        for (topic, partition), (start, end) in ranges.items():
            for position in self.positions[start:end]:
                value = b'{"globalposition":"%d","id":"x"}' % position
                yield SimpleNamespace(topic=topic, partition=partition, value=value, headers=[(LOG_HEADER, NAME.encode())])

    def is_compacted(self, _topic: str) -> bool:
        return False

    def publishes(self, _name: bytes) -> None: ...

    async def fetchval(self, _statement: str) -> str:
        return NAME

    async def fetch(self, _statement: str, positions: list[int]) -> list[tuple[int, bytes]]:
        return [(position, b'{"id":"x"}') for position in positions]


class DurableCursor:
    """At 100 of 100 published, each acknowledged."""

    def __init__(self, offsets: Offsets) -> None:
        self.offsets, self.position, self.published = offsets, 100, 100

    async def load(self) -> None:
        self.offsets.following[PLACE] = 100

    async def move(self, position: int) -> None:
        self.position = position


async def _begun(partition: Partition) -> int:
    offsets = Offsets(())
    cursor: Any = DurableCursor(offsets)
    told: Any = partition
    await Session(told, told, told, offsets, cursor, Gauges(CollectorRegistry()), None).begin()
    return int(cursor.position)


def _lose_all(positions: list[int]) -> None:
    positions.clear()


def _lose_three(positions: list[int]) -> None:
    del positions[-3:]


@pytest.mark.parametrize(("lose", "left"), [(_lose_all, 0), (_lose_three, 97)], ids=["the topic was made again", "the end was lost"])
@pytest.mark.parametrize("written", [0, 1, 3, 200])
async def test_what_is_gone_is_sent_again_also_when_something_newer_lies_there(
    lose: Callable[[list[int]], None], left: int, written: int
) -> None:
    positions = list(range(1, 101))
    lose(positions)
    positions += range(101, 101 + written)
    assert await _begun(Partition(positions)) == left


@pytest.mark.parametrize("unacknowledged", [0, 5])
async def test_nothing_is_sent_again_when_nothing_is_gone(unacknowledged: int) -> None:
    assert await _begun(Partition(list(range(1, 101 + unacknowledged)))) == 100


def test_a_batch_that_gets_offsets_given_out_before_ends_the_session() -> None:
    offsets = Offsets(())
    offsets.acknowledged(PLACE, 0, 100)
    with pytest.raises(LostRecords):
        offsets.acknowledged(PLACE, 97, 1)
