"""Reading the log in its order: pages for whoever keeps a cursor, and a tail for whoever follows it in memory."""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg

from shared.store.fence import fence
from shared.store.records import Positioned, Row
from shared.wake import Wake

COLUMNS: Final = (
    "position, stream_type, stream_id, version, type, schema_version, data, public, public_type, public_version, states::text, "
    "hash, meta, recorded_at"
)
_PAGE: Final = f"SELECT {COLUMNS} FROM es.events WHERE position > $1 AND position <= $2 ORDER BY position LIMIT $3"
PAGE_ROWS: Final = 1_000


def positioned(record: asyncpg.Record) -> Positioned:
    """A database row, as COLUMNS names them, as a record of ours."""
    position, *rest = record
    return Positioned(position, Row(*rest))


async def page(db: asyncpg.Connection, after: int, up_to: int, limit: int = PAGE_ROWS) -> list[Positioned]:
    """The next rows above `after`, at most `limit`; `up_to` must come from the fence, or events can be missed."""
    return [positioned(record) for record in await db.fetch(_PAGE, after, up_to, limit)]


@dataclass(frozen=True, slots=True)
class Tailed:
    """What a look at the log's end gave. Having applied `rows`, the reader holds everything that was committed before `as_of`
    (seconds of CLOCK_BOOTTIME) once `caught_up` is true."""

    rows: Sequence[Positioned]
    as_of: float
    caught_up: bool


async def tail(
    connect: Callable[[], Awaitable[asyncpg.Connection]], after: int, wake: Wake, *, every: float
) -> AsyncGenerator[Tailed, None]:
    """Follow the log from `after` for ever: at each wake-up, and at least `every` seconds, also when there is nothing new.

    A lost connection is made again with a growing pause and reading goes on after the last row that was yielded: never a gap,
    never a row twice. Close the iterator (`aclosing`) to close the connection.
    """
    pause = every
    while True:
        try:
            db = await connect()
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
            await asyncio.sleep(pause)
            pause = min(2 * pause, 2.0)
            continue
        try:
            pause = every
            while True:
                as_of = time.clock_gettime(time.CLOCK_BOOTTIME)
                high = (await fence(db)).high
                caught_up = False
                while not caught_up:
                    rows = await page(db, after, high) if high > after else []
                    caught_up = len(rows) < PAGE_ROWS
                    after = rows[-1].position if rows else after
                    yield Tailed(rows, as_of, caught_up)
                await wake.wait(every)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, TimeoutError):
            await asyncio.sleep(pause)
        finally:
            with contextlib.suppress(Exception):
                db.terminate()
