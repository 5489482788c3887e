"""Rebuild of views that other services feed: from their feeds into tables beside the live ones, and one short switch.

The live consumer goes on meanwhile. At the switch its checkpoints are locked, so it stands between two batches; what the feeds hold by
then is applied, the tables change places, and the versions seen become those that the new rows hold. When it goes on, the version rule
drops what it brings a second time, so that nothing is missing and nothing is twice.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg
from latchkey.consumer import Handler, Source, begin_from, whole
from latchkey.envelope import Envelope, decode

from shared.rebuild.comparison import compare
from shared.rebuild.rebuild import FROZEN, Differs, NeverQuiet, RebuildRunning
from shared.store.migrations import Roles

_TRIES: Final = 50
_BACK_OFF: Final = 0.2
_HOLD_SECONDS: Final = 5.0  # for so long at most the live consumer stands still
_LIVE, _NEW = 1, 0
"""The projection's version under which the live rows' streams are noted, and the one for the rows in the making."""


@dataclass(frozen=True)
class ForeignView:
    """Tables that one consumer fills: `name` is its projection's, `handler` writes them by their plain names, from `topics`."""

    name: str
    tables: Sequence[str]
    handler: Handler
    topics: Sequence[str]


class ForeignRebuild:
    """One run over the feeds, on a connection of the owner. `progress(position, goal)` counts positions of all feeds together."""

    def __init__(
        self, db: asyncpg.Connection, view: ForeignView, feeds: Mapping[str, Source], progress: Callable[[int, int], None]
    ) -> None:
        """`feeds` has one of each topic's publisher. Raises KeyError where one is missing."""
        self._db, self._view, self._progress = db, view, progress
        self._schema = f"rebuild_{view.name}"
        self._at = dict.fromkeys((feeds[topic] for topic in view.topics), 0)

    async def run(self, *, verify: bool = False) -> int:
        """Rebuild and switch; answers up to which positions together. Raises RebuildRunning, Differs (only with `verify`), NeverQuiet,
        what a feed raises while it is away, and what the handler raises for an event that it refuses: then nothing has changed."""
        if not await self._db.fetchval("SELECT pg_try_advisory_lock(hashtextextended($1, 1702258030))", f"rebuild:{self._view.name}"):
            raise RebuildRunning(self._view.name)
        await self._begin()
        try:
            await self._catch_up()
            for _ in range(_TRIES):
                with contextlib.suppress(asyncpg.LockNotAvailableError, TimeoutError):
                    if await self._switched(verify=verify):
                        return sum(self._at.values())
                await asyncio.sleep(_BACK_OFF)
                await self._catch_up()
        finally:
            await self._forget()
        raise NeverQuiet(self._view.name)

    async def _begin(self) -> None:
        await self._forget()
        roles = Roles.of_owner(await self._db.fetchval("SELECT current_user"))
        async with self._db.transaction():
            await self._db.execute(f"CREATE SCHEMA {self._schema}")
            for table in self._view.tables:
                await self._db.execute(
                    f"CREATE TABLE {self._schema}.{table} (LIKE public.{table} INCLUDING ALL);"
                    f'GRANT SELECT, INSERT, UPDATE, DELETE ON {self._schema}.{table} TO "{roles.app}";'
                    f'GRANT SELECT ON {self._schema}.{table} TO "{roles.read}"'
                )

    async def _forget(self) -> None:
        await self._db.execute(f"DROP SCHEMA IF EXISTS {self._schema} CASCADE")
        await self._db.execute("DELETE FROM latchkey.seen WHERE projection = $1 AND version = $2", self._view.name, _NEW)

    async def _catch_up(self) -> None:
        goals: dict[Source, int] = {}
        for source in tuple(self._at):
            async for page in whole(source, after=self._at[source]):
                goals[source] = max(goals.get(source, 0), page.end)
                async with self._db.transaction():
                    await self._apply(self._wanted(page.events))
                self._at[source] = max(self._at[source], page.following)
                self._progress(sum(self._at.values()), max(sum(goals.values()), sum(self._at.values())))

    def _wanted(self, raws: Sequence[bytes]) -> list[Envelope]:
        events = [decode(raw) for raw in raws]
        return [event for event in events if event.data is None or event.data.topic in self._view.topics]

    async def _apply(self, events: Sequence[Envelope]) -> None:
        known = [event for event in events if event.data is not None]
        if known:
            # The handler names its tables plainly, so it is the path that leads it to those in the making.
            await self._db.execute(f"SET LOCAL search_path = {self._schema}, public")
            await self._view.handler.apply(self._db, known)
            await self._db.execute("SET LOCAL search_path = public")
        if events:
            await begin_from(self._db, self._view.name, {event.subject: event.streamversion for event in events}, version=_NEW)

    async def _switched(self, *, verify: bool) -> bool:
        """Stop the consumer, apply what is left, change places; false when the live rows were behind what they are compared with."""
        async with self._db.transaction():
            await self._db.execute(f"SET LOCAL lock_timeout = '2s'; {FROZEN}")
            await self._db.execute("SELECT FROM latchkey.checkpoints WHERE projection = $1 AND version = $2 FOR UPDATE", *self._live)
            async with asyncio.timeout(_HOLD_SECONDS):
                rest, reached = [], dict(self._at)
                async for source, raws, following in self._rest():
                    rest += self._wanted(raws)
                    reached[source] = following
            if verify:
                seen = await self._seen(_LIVE)
                if any(seen.get(stream, 0) < version for stream, version in (await self._seen(_NEW)).items()):
                    return False
                await self._apply([event for event in rest if event.streamversion <= seen.get(event.subject, 0)])
                await self._verify()
                rest = [event for event in rest if event.streamversion > seen.get(event.subject, 0)]
            await self._apply(rest)
            await self._change_places()
        self._at = reached
        return True

    async def _rest(self) -> AsyncIterator[tuple[Source, Sequence[bytes], int]]:
        for source, after in self._at.items():
            async for page in whole(source, after=after):
                yield source, page.events, max(after, page.following)

    async def _verify(self) -> None:
        found = [
            difference
            for table in self._view.tables
            for difference in await compare(self._db, self._db, "", f"public.{table}", f"{self._schema}.{table}")
        ]
        if found:
            raise Differs(found)

    async def _change_places(self) -> None:
        for table in self._view.tables:
            await self._db.execute(f"DROP TABLE public.{table}; ALTER TABLE {self._schema}.{table} SET SCHEMA public")
        await self._db.execute("DELETE FROM latchkey.seen WHERE projection = $1 AND version = $2", *self._live)
        await self._db.execute("UPDATE latchkey.seen SET version = $2 WHERE projection = $1 AND version = $3", *self._live, _NEW)
        # What was put aside and is now in the rows would only be in the way.
        await self._db.execute(
            "DELETE FROM latchkey.parked p USING latchkey.seen s WHERE p.projection = $1 AND p.version = $2 AND s.projection = $1 "
            "AND s.version = $2 AND s.stream_id = p.stream_id AND p.stream_version <= s.last_version",
            *self._live,
        )

    @property
    def _live(self) -> tuple[str, int]:
        return self._view.name, _LIVE

    async def _seen(self, version: int) -> Mapping[str, int]:
        rows = await self._db.fetch(
            "SELECT stream_id, last_version FROM latchkey.seen WHERE projection = $1 AND version = $2", self._view.name, version
        )
        return {row[0]: row[1] for row in rows}
