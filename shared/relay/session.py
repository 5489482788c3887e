"""One uninterrupted run of the leader: one producer, one cursor, passes over the log until the first error."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import asyncpg
from latchkey.envelope import headers, splice
from latchkey.events import EVENTS
from latchkey.failpoint import failpoint
from latchkey.topics import Topic

from shared.relay.comparison import name_of, ours, refuse_if_behind
from shared.relay.cursor import Cursor
from shared.relay.gauges import Gauges
from shared.relay.heartbeat import Beating
from shared.relay.offsets import Offsets, Place
from shared.relay.outlet import Outlet, Record
from shared.relay.sweep import position_of, sweep
from shared.store.fence import fence
from shared.traces import Carried, carrying, is_traced

_PAGE_ROWS: Final = 1_000
_LOOK_SECONDS: Final = 1.0  # so often the topics' ends and the cursor are compared with what this leader believes
_LONG_WAIT: Final = 0.05
_PAGE = """
(SELECT position, stream_id, public_type, public_version, public, meta->>'traceparent', states::text FROM es.events
 WHERE position > $1 AND position <= $2 AND public IS NOT NULL ORDER BY position LIMIT $3)
UNION ALL
(SELECT position, stream_id, convert_from(public, 'UTF8')::json->>'type', public_version, public,
     convert_from(public, 'UTF8')::json->>'traceparent', NULL FROM es.lost
 WHERE position > $1 AND position <= $2 ORDER BY position LIMIT $3)
ORDER BY position LIMIT $3
"""  # what a restored log lost stays part of what was said: it is published again too, where Kafka has to be filled again
_log: Final = logging.getLogger(__name__)


class Page(NamedTuple):
    """Packed events: everything up to `end` is in it or was in one before."""

    end: int
    events: int
    rounds: Sequence[dict[Place, Any]]
    last: bool
    carried: Sequence[Carried]


@dataclass
class Session:
    """What one run of the leader works with. `reading` and `writing` are two connections, so a page is read while the cursor moves."""

    reading: asyncpg.Connection
    writing: asyncpg.Connection
    outlet: Outlet
    offsets: Offsets
    cursor: Cursor
    gauges: Gauges
    beating: Beating | None
    _looked: float = 0.0

    async def begin(self) -> None:
        """Take up where the cursor is, after comparing the topics with it. Raises LogIsBehind before anything is published."""
        await self.cursor.load()
        await refuse_if_behind(self.reading, self.outlet, self.offsets)
        self.outlet.publishes(await name_of(self.reading))
        await self._look(first=True)

    async def turn(self) -> int:
        """One pass: everything that is final now is published, repaired and, when it is time, a beat is sent; answers how many events.

        Raises whatever went wrong; then the whole session is over.
        """
        if time.monotonic() - self._looked >= _LOOK_SECONDS:
            await self.cursor.check()
            await self._look()
        beat = await self.beating.start(self.reading) if self.beating else None
        fenced = await fence(self.reading)
        if fenced.waited > _LONG_WAIT:
            self.gauges.fence_waits.inc()
        sent = await self._publish(fenced.high) if fenced.high > self.cursor.position else 0
        while self.offsets.unseen:
            await self._repair()
        if self.beating and beat:
            await self.beating.finish(beat, self.outlet)
        return sent

    async def _publish(self, high: int) -> int:
        """Send the pages up to `high`. While one is on its way the next is read and packed, and the cursor follows the one before."""
        page = await self._read(self.cursor.position, high)
        sent, done = 0, self.cursor.position
        while not page.last:
            async with asyncio.TaskGroup() as together:
                ahead = together.create_task(self._read(page.end, high))
                beside = [together.create_task(self._send(page))]
                if done > self.cursor.position:
                    beside.append(together.create_task(self._move(done)))
            for task in beside:
                task.result()  # a task that Kafka's client cancelled by mistake is no error to the group: it must not pass for sent
            sent, done, page = sent + page.events, page.end, ahead.result()
        await self._send(page)
        await self._move(page.end)
        return sent + page.events

    async def _read(self, after: int, high: int) -> Page:
        rows = await self.reading.fetch(_PAGE, after, high, _PAGE_ROWS)
        failpoint("relay.after_read")
        last = len(rows) < _PAGE_ROWS
        records = [record for row in rows for record in _records(*row)]
        carried = [(row[2], f"{row[1]}/{row[3]}", row[5]) for row in rows] if is_traced() else ()
        return Page(high if last else rows[-1][0], len(rows), self.outlet.pack(records), last, carried)

    async def _send(self, page: Page) -> None:
        with carrying("PRODUCER", page.carried):
            await self.outlet.send(page.rounds)
        self.gauges.sent.inc(page.events)
        failpoint("relay.after_produce")

    async def _move(self, position: int) -> None:
        failpoint("relay.before_cursor")
        await self.cursor.move(position)
        self.gauges.position.set(position)

    async def _repair(self) -> None:
        repaired = await sweep(self.reading, self.outlet, self.offsets, self.cursor.position)
        if repaired:
            self.gauges.repaired.inc(repaired)
            _log.warning("%d states were sent again because an older one had come last", repaired)
        await self._move(self.cursor.position)  # which makes durable that those records were looked at

    async def _look(self, *, first: bool = False) -> None:
        """Compare what Kafka holds with what it acknowledged; rewind to before the first event that is gone."""
        ends = await self.outlet.ends()
        lost = self.offsets.compare(ends, await self._overwritten(ends) if first else ())
        self._looked = time.monotonic()
        if not lost:
            return
        self.gauges.lost.inc(len(lost))
        rewound = min([self.cursor.position, *(await self._left([place for place in lost if place[0] not in self.offsets.compacted]))])
        _log.error("Kafka lost acknowledged records in %s: publishing again from position %d", lost, rewound)
        await self._move(rewound)

    async def _overwritten(self, ends: Mapping[Place, int]) -> set[Place]:
        """Where something newer lies in the place of our last acknowledged record: that was lost, and a session that wrote on before it
        looked has filled the gap, so that the end alone shows nothing."""
        last = {place: (end - 1, end) for place, end in self.offsets.following.items() if 0 < end <= ends.get(place, 0)}
        return {place async for place, position in self._ours(last) if position > self.cursor.published}

    async def _left(self, places: Sequence[Place]) -> Iterable[int]:
        """The position of the last event that each partition still has of those published before the loss. Each producer wrote in position
        order from a point that was published before, so everything of that partition up to there is left as well. What was written after
        the loss is newer and proves nothing; where a page's worth of records is all newer, everything is sent again."""
        ends = {place: self.offsets.following[place] for place in places}
        left = dict.fromkeys(places, 0)
        async for place, position in self._ours({place: (max(end - _PAGE_ROWS, 0), end) for place, end in ends.items()}):
            if position <= self.cursor.published:
                left[place] = position
        return left.values()

    async def _ours(self, ranges: Mapping[Place, tuple[int, int]]) -> AsyncIterator[tuple[Place, int]]:
        """Where in these ranges records of this log lie, and which position each has."""
        name = await name_of(self.reading)
        async for record in self.outlet.records(ranges):
            if ours(record, name) and (position := position_of(record.value)) > 0:
                yield (record.topic, record.partition), position


def _records(
    position: int, stream_id: str, public_type: str, public_version: int, public: bytes, traceparent: str | None, states: str | None
) -> list[Record]:
    marks = headers(public_type, f"{stream_id}/{public_version}", traceparent)
    records = [Record(EVENTS[public_type].topic, stream_id, splice(public, position), marks)]
    if states is not None:
        records += [
            Record(topic, key, None if text is None else splice(text.encode(), position), []) for topic, key, text in json.loads(states)
        ]
    return records


def compacted(topics: Sequence[Topic]) -> frozenset[str]:
    """The names of those that keep only the last record of a key."""
    return frozenset(topic.name for topic in topics if topic.compacted)
