"""The fence: how far the log is final, so that a reader who follows positions never passes an event that appears later.

The trouble. A position is drawn from a sequence before its transaction commits. Writer A draws 7, writer B draws 8 and commits; a reader
that has seen 8 and goes on after it never sees 7, which A commits a moment later. Most event stores on PostgreSQL have lost events so.

The fence. Read h, the highest position drawn so far. Then list who holds the shared append lock. Wait until those are gone. Now every
position <= h is final: its event is visible, or it never will be.

Why it holds.
1. A writer takes the shared lock before it draws its first position and holds it until its transaction has ended: it is a transaction
   lock, and `es.begin_append` is the first statement of the only function that inserts events.
2. So whoever drew a position <= h either held the lock when we listed the holders, or had ended by then: h was read first, and both
   reads are of shared memory, not of a snapshot. Advisory locks are never on the fast path, so `pg_locks` shows all of them.
3. PostgreSQL makes a commit visible to new snapshots before it releases the transaction's locks. So once a holder is no longer in
   `pg_locks`, the next statement of ours sees what it committed; what it rolled back is never seen.
4. A position drawn after h was read is > h: the sequence has CACHE 1, so no session keeps a smaller number in its pocket.
A holder is named by its virtual transaction id, which a backend never uses twice, so a new writer on an old connection is not waited for:
writers are never queued, and a reader waits for one generation of them at most.

What it needs: CACHE 1, one append function, the primary (a standby has its own pg_locks), READ COMMITTED (each statement its own snapshot).

What a cursor may do with h. A durable cursor may move to h itself: it is committed, so every WAL record before it is flushed and a
rolled-back number below it cannot come back. A cursor in memory moves only to the last row that it read, and after a reconnect reads
again from there: after a crash PostgreSQL may hand out again a number whose transaction was rolled back.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

import asyncpg

APPEND_LOCK: Final = (
    1702258030,
    1,
)  # the two keys of the advisory lock; `es.begin_append` takes it shared, the switch of a rebuild exclusively
_PATIENCE: Final = (0.0005, 0.02)  # seconds between two looks: at first and at most


@dataclass(frozen=True, slots=True)
class Fenced:
    """Every position up to `high` is final; `waited` says for how many seconds this reader stood at the fence."""

    high: int
    waited: float


async def fence(db: asyncpg.Connection) -> Fenced:
    """Wait until a highest position is final and return it. `db` must not be in a transaction. Raises what the connection raises."""
    [(high, holders)] = await db.fetch("SELECT high, holders FROM es.fence()")
    if not holders:
        return Fenced(high, 0.0)
    loop = asyncio.get_running_loop()
    started, pause = loop.time(), _PATIENCE[0]
    while await db.fetchval("SELECT es.still_inside($1)", holders):
        await asyncio.sleep(pause)
        pause = min(2 * pause, _PATIENCE[1])
    return Fenced(high, loop.time() - started)
