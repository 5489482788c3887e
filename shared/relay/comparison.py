"""Whether Kafka holds events that the log does not: then the database is a backup, and to publish from it would contradict what was said.

Each record carries the name of its log, which a backup carries along too. A record of this log's name whose position is not in the log,
or whose bytes differ from the row there, was published by a later life of it. Records of other logs say nothing.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Final, NamedTuple

import asyncpg
from latchkey.envelope import splice

from shared.relay.offsets import Offsets, Place
from shared.relay.outlet import LOG_HEADER, Outlet
from shared.relay.sweep import position_of

_NAME: Final = "SELECT id::text FROM es.log"
_ROWS: Final = """
SELECT position, public FROM es.events WHERE position = ANY($1::bigint[]) AND public IS NOT NULL
UNION ALL SELECT position, public FROM es.lost WHERE position = ANY($1::bigint[])
"""
_AT_ONCE: Final = 500


class LogIsBehind(Exception):
    """Kafka holds an event of this log that the log does not have."""


class Published(NamedTuple):
    """An event as Kafka holds it."""

    position: int
    value: bytes


async def name_of(db: asyncpg.Connection) -> bytes:
    """The log's own name, as records carry it."""
    return str(await db.fetchval(_NAME)).encode()


def ours(record: Any, name: bytes) -> bool:
    """Whether a record was published from the log of this name."""
    return (LOG_HEADER, name) in record.headers


async def refuse_if_behind(db: asyncpg.Connection, outlet: Outlet, offsets: Offsets) -> None:
    """Compare what lies behind the last acknowledged records with the log. Raises LogIsBehind.

    Of a partition that this log never wrote to, as far as it remembers, the last record is compared; an empty one says nothing.
    """
    ends = {place: end for place, end in (await outlet.ends()).items() if end > 0 and not outlet.is_compacted(place[0])}
    ranges = {place: (_start(offsets.following.get(place), end), end) for place, end in ends.items()}
    async with aclosing(unknown(db, outlet, ranges)) as lost:
        async for position, _ in lost:
            raise LogIsBehind(
                f"Kafka holds events that the log does not, such as one at position {position}: the database was restored from a backup, "
                "and nothing is published before `ops restored` has looked at it"
            )


def _start(following: int | None, end: int) -> int:
    if following is None:
        return end - 1
    return following if following <= end else 0  # the topic was made again, so its offsets tell nothing


async def unknown(db: asyncpg.Connection, outlet: Outlet, ranges: Mapping[Place, tuple[int, int]]) -> AsyncGenerator[Published]:
    """The events of this log in these ranges of offsets that the log does not have in the same bytes."""
    name = await name_of(db)
    waiting: list[Published] = []
    async with aclosing(outlet.records(ranges)) as records:
        async for record in records:
            if record.value is not None and ours(record, name):
                waiting.append(Published(position_of(record.value), record.value))
            if len(waiting) == _AT_ONCE:
                for event in await _unknown(db, waiting):
                    yield event
                waiting = []
    for event in await _unknown(db, waiting):
        yield event


async def _unknown(db: asyncpg.Connection, events: Sequence[Published]) -> Sequence[Published]:
    rows: Sequence[Any] = await db.fetch(_ROWS, [event.position for event in events]) if events else []
    known = {splice(public, position) for position, public in rows}
    return [event for event in events if event.value not in known]
