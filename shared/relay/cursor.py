"""The durable cursor of a relay: how far the log is on Kafka, and where each partition ended then."""

from typing import Final

import asyncpg

from shared.relay.offsets import Offsets

_NAME: Final = "relay"


class CursorMoved(Exception):
    """Somebody else moved the cursor: another leader, or an operator who rewound it. Begin again from where it is now."""


class WouldSkip(Exception):
    """A cursor only ever goes back."""


class Cursor:
    """Everything at or below `position` was acknowledged by Kafka at least once; `published` is the furthest that it ever stood."""

    def __init__(self, db: asyncpg.Connection, offsets: Offsets) -> None:
        self._db, self._offsets, self.position, self.published = db, offsets, 0, 0

    async def load(self) -> None:
        """Read where the relay stands; a service's first relay begins at 0."""
        await self._db.execute("INSERT INTO es.relay (name, position) VALUES ($1, 0) ON CONFLICT DO NOTHING", _NAME)
        [(self.position, self.published, offsets)] = await self._db.fetch(
            "SELECT position, published, next_offsets::text FROM es.relay WHERE name = $1", _NAME
        )
        self._offsets.load(offsets)

    async def move(self, position: int) -> None:
        """Commit a new position with the present offsets. Raises CursorMoved when it is not where this relay left it."""
        moved = await self._db.fetchval(
            "UPDATE es.relay SET position = $3, published = greatest(published, $3), next_offsets = $4::jsonb, updated_at = now() "
            "WHERE name = $1 AND position = $2 RETURNING 1",
            _NAME, self.position, position, self._offsets.dump(),
        )  # fmt: skip
        if moved is None:
            raise CursorMoved
        self.position, self.published = position, max(self.published, position)

    async def check(self) -> None:
        """Raise CursorMoved when somebody moved it while there was nothing to send."""
        if await self._db.fetchval("SELECT position FROM es.relay WHERE name = $1", _NAME) != self.position:
            raise CursorMoved


async def rewind(db: asyncpg.Connection, position: int) -> int:
    """Publish everything above `position` again, in the same bytes; answers where the relay stood. The leader notices within a second.

    Raises WouldSkip when the relay has not got there yet.
    """
    async with db.transaction():
        await db.execute("INSERT INTO es.relay (name, position) VALUES ($1, 0) ON CONFLICT DO NOTHING", _NAME)
        stood = int(await db.fetchval("SELECT position FROM es.relay WHERE name = $1 FOR UPDATE", _NAME))
        if position > stood:
            raise WouldSkip(f"The relay stands at {stood}: what lies between would never be published.")
        await db.execute("UPDATE es.relay SET position = $2, updated_at = now() WHERE name = $1", _NAME, position)
    return stood
