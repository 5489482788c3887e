"""Which member of its group a process is: a numbered seat, held by a lock in the consumer's own database.

Kafka waits for a member that died until its session has ended, and gives its partitions to nobody meanwhile, unless the one who comes back
is known for the one who went (static membership). A lock of a database session is given up the moment its process dies, however it dies,
so the next process takes the same seat at once: nobody has to be told a name, and any number of processes may share the work.

Kafka gives a name that it knows its old partitions back without asking what it wants now, so the topics are part of the name.
"""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, cast

import asyncpg

_TAKE: Final = "SELECT pg_try_advisory_lock(hashtextextended($1, 0))"
_ASK_AGAIN_SECONDS: Final = 2.0
_DEADLINE_SECONDS: Final = 5.0


@dataclass
class Seat:
    """`member` is the `group.instance.id` to join with; None joins as a member that Kafka has to wait for."""

    member: str | None
    _db: asyncpg.Connection | None = None
    _asked_at: float = 0.0

    async def check(self) -> None:
        """Raise what the connection raises when the seat may be somebody else's by now: two in one seat would drive each other out."""
        if self._db is not None and time.monotonic() - self._asked_at > _ASK_AGAIN_SECONDS:
            await self._db.execute("SELECT 1", timeout=_DEADLINE_SECONDS)
            self._asked_at = time.monotonic()


@asynccontextmanager
async def seated(pool: asyncpg.Pool, group: str, member: str | None, topics: Sequence[str]) -> AsyncIterator[Seat]:
    """The lowest free seat of the group, kept by a connection of the pool; or `member`, when the caller knows better.

    A pool of one connection has none to spare: then there is no seat.
    """
    wanted = sha256("\n".join(topics).encode()).hexdigest()[:8]
    if member is not None or pool.get_max_size() == 1:
        yield Seat(None if member is None else f"{member}-{wanted}")
        return
    async with pool.acquire(timeout=_DEADLINE_SECONDS) as lent:
        db, number = cast("asyncpg.Connection", lent), 0  # the pool's proxy has every method of a connection
        while not await db.fetchval(_TAKE, f"latchkey.seat.{group}.{number}", timeout=_DEADLINE_SECONDS):
            number += 1
        yield Seat(f"seat-{number}-{wanted}", db)
