"""Records that were put aside and may come back: those an operator wants tried again, and gaps that the publisher's feed can fill."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

import asyncpg

from latchkey.consumer.engine import Engine, Work
from latchkey.consumer.ledger import Held, Ledger
from latchkey.consumer.plan import Arrival, Place
from latchkey.consumer.reading import arrival as read
from latchkey.consumer.tables import borrowed
from latchkey.partitioning import partition_of
from latchkey.topics import BY_NAME

PAGE = 500
ASK_AGAIN_SECONDS = 2.0
"""A missing event is usually on its way on the topic; the feed is not asked for it more often than this."""


class FeedPage(NamedTuple):
    """A part of a publisher's log: events as they were published, the position to go on from, and where the log ended when it was asked."""

    events: Sequence[bytes]
    following: int
    end: int


class Source(Protocol):
    """The publisher's own log, as `latchkey.feed.Feed` reads it: what to ask when the topic does not hold an event any more."""

    async def page(self, *, after: int, stream: str | None = None, limit: int = PAGE) -> FeedPage:
        """Up to `limit` public events behind position `after`. Raises a transient error while the publisher is away."""


Sources = Source | Mapping[str, Source]
"""One feed for all topics, or the feed of each topic by its name; a topic without one has gaps that stay."""


async def whole(source: Source, *, after: int = 0, stream: str | None = None) -> AsyncIterator[FeedPage]:
    """The pages from `after` to where the log ended when the first was asked: what is written meanwhile comes over the topic."""
    goal: int | None = None
    while goal is None or after < goal:
        page = await source.page(after=after, stream=stream)
        goal = page.end if goal is None else goal
        yield page
        if page.following <= after:
            return
        after = page.following


class Backlog:
    """Brings back what was put aside, for the partitions that this consumer holds, through the same rule as everything else."""

    def __init__(self, pool: asyncpg.Pool, ledger: Ledger, engine: Engine, sources: Sources | None, seconds: float) -> None:
        self._pool, self._ledger, self._engine, self._sources, self._seconds = pool, ledger, engine, sources, seconds
        self._ask_again: dict[tuple[str, int], float] = {}

    async def count(self) -> int:
        """How many records are put aside."""
        async with borrowed(self._pool, self._seconds) as db:
            return await self._ledger.parked_count(db)

    async def tend(self, held: Held) -> None:
        """Try wanted records of this partition again, and ask the feed for what is missing before the others."""
        async with borrowed(self._pool, self._seconds) as db:
            rows = await self._ledger.backlog(db, held)
        places = frozenset(row.place for row in rows if row.stream_id is None and row.wanted)
        streams = sorted({row.stream_id for row in rows if row.stream_id is not None and row.wanted})
        if places or streams:
            async with borrowed(self._pool, self._seconds) as db:
                raws = await self._ledger.raws(db, held.source, places)
            arrivals = [read(place, raws.get(place)) for place in sorted(places)]
            await self._engine.run(Work(held, arrivals, held, wanted=streams, retried=places))
        source = self._of(held.source)
        if source is not None and time.monotonic() >= self._ask_again.get((held.source, held.partition), 0.0):
            self._ask_again[held.source, held.partition] = time.monotonic() + ASK_AGAIN_SECONDS
            for stream in sorted({row.stream_id for row in rows if row.stream_id is not None and row.gap}):
                await self._fill_stream(held, source, stream)

    async def fill(self, held: Held) -> Held:
        """Apply what the feed holds of this partition behind the last position read, to its end, and return where that is.

        Without a feed what is missing stays missing: the partition is declared to have a gap before its first record.
        """
        source = self._of(held.source)
        if source is None:
            return replace(held, declared=True)
        async for page in whole(source, after=held.last_position):
            after = replace(held, last_position=max(held.last_position, page.following))
            arrivals = [came for came in (_from_feed(held, raw) for raw in page.events) if _belongs(came, held)]
            if arrivals:
                await self._engine.run(Work(held, arrivals, after))
            held = after
        return held

    async def _fill_stream(self, held: Held, source: Source, stream: str) -> None:
        async for page in whole(source, stream=stream):
            arrivals = [came for came in (_from_feed(held, raw) for raw in page.events) if came.envelope is not None]
            if arrivals:
                await self._engine.run(Work(held, arrivals, held))

    def _of(self, topic: str) -> Source | None:
        return self._sources.get(topic) if isinstance(self._sources, Mapping) else self._sources


def _from_feed(held: Held, raw: bytes) -> Arrival:
    came = read(Place(held.topic_epoch, held.partition, 0), raw)
    position = 0 if came.envelope is None else came.envelope.globalposition or 0
    return replace(came, place=Place(held.topic_epoch, held.partition, -position))


def _belongs(came: Arrival, held: Held) -> bool:
    """Whether an event is one of this partition. A feed has all events of its service; what cannot be read has no place to go to."""
    event = came.envelope
    if event is None or partition_of(event.subject, held.partitions) != held.partition:
        return False
    # A topic that is not named as in the contract, such as a mirror, may hold the events of any.
    return event.data is None or event.data.topic == held.source or held.source not in BY_NAME
