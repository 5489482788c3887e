"""The rebuild itself: stream the log into new tables, compare when asked, and switch in one short transaction.

Writers go on meanwhile, into the old version. The switch takes the exclusive side of the append lock, so at that moment nobody is inside
an append: what is left of the log is applied, `es.active` and the plain SQL views are pointed at the new tables, and the commit
releases the lock. Each append reads `es.active` after it took the shared side, so none can write to the old version after that.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
from latchkey.failpoint import failpoint

from shared.events import EventRegistry
from shared.rebuild.comparison import Difference, compare
from shared.rebuild.source import Page, Source
from shared.rebuild.tables import Begun, add_indexes, begin, forget
from shared.store.contract import View
from shared.store.fence import APPEND_LOCK, fence
from shared.store.migrations import point_at
from shared.store.subjects import SubjectKeys

_HOLD_SECONDS: Final = 0.2  # the rest of the log must be applied within this at the measured rate before writers are stopped for it
_HOLD_LIMIT: Final = 1.0  # it is given up, and tried again, when the rest takes longer all the same
FROZEN: Final = "SET LOCAL idle_in_transaction_session_timeout = '10s'"  # a rebuild that is stopped while writers wait for it is ended
_WAIT_MS: Final = 20  # for the exclusive lock; a waiting exclusive lock holds up new writers
_BACK_OFF: Final = 0.2  # tenfold, so that writers lose a tenth of their time at most
_TRIES: Final = 100
_LAST: Final = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM es.events_position"


class Differs(Exception):
    """The new version is not equal to the live one, so nothing was switched. `differences` holds the first rows that differ."""

    def __init__(self, differences: list[Difference]) -> None:
        super().__init__("the rebuilt tables differ from the live ones")
        self.differences = differences


class NeverQuiet(Exception):
    """Appends were so long and so many that the switch never got the lock; the new tables are kept and the next run goes on with them."""


class RebuildRunning(Exception):
    """Another process rebuilds this view right now."""


@dataclass(frozen=True)
class Parts:
    """Three connections of the owner: one that writes, one that reads ahead, one for a snapshot of the live tables."""

    writing: asyncpg.Connection
    reading: asyncpg.Connection
    snapshot: asyncpg.Connection
    source: Source


@asynccontextmanager
async def opened(owner_url: str, registry: EventRegistry[Any], master_key: bytes, view: View) -> AsyncIterator[Parts]:
    """The parts of one rebuild. Raises RebuildRunning."""
    async with asyncpg.create_pool(owner_url, min_size=1, max_size=1, timeout=10) as pool:
        connections = [await asyncpg.connect(owner_url, timeout=10) for _ in range(3)]
        try:
            writing, reading, snapshot = connections
            if not await writing.fetchval("SELECT pg_try_advisory_lock(hashtextextended($1, 1702258030))", f"rebuild:{view.name}"):
                raise RebuildRunning(view.name)
            # A batch and its progress row are lost together or not at all, so they need not wait for the disk. The switch does.
            await writing.execute("SET synchronous_commit = off")
            yield Parts(writing, reading, snapshot, Source(reading, registry, SubjectKeys(pool, master_key), view))
        finally:
            for connection in connections:
                await connection.close()


class Rebuild:
    """One run. `progress(position, goal)` is told how far it came, in positions of the log."""

    def __init__(self, parts: Parts, view: View, progress: Callable[[int, int], None] = lambda _position, _goal: None) -> None:
        self._parts, self._view, self._progress = parts, view, progress
        self._rate = 20_000.0  # positions a second, until it was measured

    async def run(self, *, verify: bool = False) -> Begun:
        """Rebuild and switch; answers the version that is active now. Raises Differs (only with `verify`) and NeverQuiet."""
        writing = self._parts.writing
        begun = await begin(writing, self._view)
        position = await self._stream(begun, begun.position, (await fence(self._parts.reading)).high)
        await add_indexes(writing, self._view, begun.suffix)
        if verify and begun.active is not None:
            position = await self._verify(begun, position)
        for _ in range(_TRIES):
            position = await self._catch_up(begun, position)
            if await self._switched(begun, position):
                return begun
            await asyncio.sleep(_BACK_OFF)
        raise NeverQuiet(self._view.name)

    async def _catch_up(self, begun: Begun, position: int) -> int:
        while True:
            high = (await fence(self._parts.reading)).high
            near = high - position <= self._rate * _HOLD_SECONDS
            position = await self._stream(begun, position, high)
            if near:
                return position

    async def _stream(self, begun: Begun, position: int, up_to: int) -> int:
        """Apply everything in (position, up_to], a transaction for each page; the next page is read while one is written."""
        if position >= up_to:
            return position
        started, first = time.monotonic(), position
        page = await self._parts.source.page(position, up_to)
        while position < up_to:
            async with asyncio.TaskGroup() as together:
                written = together.create_task(self._commit(begun, page))
                ahead = together.create_task(self._parts.source.page(page.end, up_to)) if page.end < up_to else None
            written.result()  # one that was cancelled by mistake is no error to the group
            position = page.end
            page = ahead.result() if ahead else page
            self._progress(position, up_to)
        if position - first > 1_000:  # noqa: PLR2004  # fewer say nothing about the rate
            self._rate = (position - first) / (time.monotonic() - started)
        return position

    async def _commit(self, begun: Begun, page: Page) -> None:
        async with self._parts.writing.transaction():
            await self._write(begun, page)

    async def _write(self, begun: Begun, page: Page) -> None:
        if page.events:
            await self._view.apply(self._parts.writing, begun.suffix, page.events)
        await self._parts.writing.execute(
            "UPDATE es.rebuilds SET position = $2, updated_at = now() WHERE projection = $1", self._view.name, page.end
        )

    async def _switched(self, begun: Begun, position: int) -> bool:
        """Stop the writers, apply the rest, flip; false when the lock did not come in time or the rest took too long."""
        writing = self._parts.writing
        try:
            async with writing.transaction():
                await writing.execute(f"SET LOCAL lock_timeout = {_WAIT_MS}; SET LOCAL synchronous_commit = on; {FROZEN}")
                await writing.execute("SELECT pg_advisory_xact_lock($1, $2)", *APPEND_LOCK)
                high = await writing.fetchval(_LAST)
                async with asyncio.timeout(_HOLD_LIMIT):
                    while position < high:
                        page = await self._parts.source.page(position, high)
                        await self._write(begun, page)
                        position = page.end
                    await point_at(writing, self._view, begun.version)
                    await forget(writing, self._view)
                failpoint("rebuild.at_switch")
        except (asyncpg.LockNotAvailableError, TimeoutError):
            return False
        self._progress(position, position)
        return True

    async def _verify(self, begun: Begun, position: int) -> int:
        """Bring the new version exactly to a snapshot of the live one and compare. Raises Differs; no run goes on with it then."""
        high = await self._frozen()
        try:
            position = await self._stream(begun, position, high)
            found = [
                difference
                for name in self._view.names
                for difference in await compare(self._parts.snapshot, self._parts.writing, name, f"_v{begun.active}", begun.suffix)
            ]
        finally:
            await self._parts.snapshot.execute("ROLLBACK")
        if found:
            await forget(self._parts.writing, self._view)
            raise Differs(found)
        return position

    async def _frozen(self) -> int:
        """Open a snapshot at a moment when nobody is inside an append; answers the position that it holds exactly."""
        snapshot, writing = self._parts.snapshot, self._parts.writing
        for _ in range(_TRIES):
            try:
                async with writing.transaction():
                    await writing.execute(f"SET LOCAL lock_timeout = {_WAIT_MS}; {FROZEN}")
                    await writing.execute("SELECT pg_advisory_xact_lock($1, $2)", *APPEND_LOCK)
                    await snapshot.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                    return int(await snapshot.fetchval(_LAST))
            except asyncpg.LockNotAvailableError:
                await asyncio.sleep(_BACK_OFF)
        raise NeverQuiet(self._view.name)
