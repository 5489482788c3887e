"""How keys are used: counted in memory on the verify path, written by the minute."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg

FLUSH_SECONDS: Final = 60.0
FOLD_SECONDS: Final = 3_600.0
KEPT_DAYS: Final = 90
_HOUR: Final = 3600.0
_AWAY: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError)
_CALLS: Final = """
INSERT INTO key_calls AS held (pair_id, hour, calls) SELECT pair_id, $2, calls FROM unnest($1::text[], $3::bigint[]) AS u (pair_id, calls)
ORDER BY pair_id ON CONFLICT (pair_id, hour) DO UPDATE SET calls = held.calls + excluded.calls
"""
_LAST_USED: Final = """
INSERT INTO key_last_used AS held (pair_id, last_used_at) SELECT * FROM unnest($1::text[], $2::timestamptz[]) AS u (pair_id, last_used_at)
ORDER BY pair_id ON CONFLICT (pair_id) DO UPDATE SET last_used_at = greatest(held.last_used_at, excluded.last_used_at)
"""
_FOLD: Final = """
WITH old AS (DELETE FROM key_calls WHERE hour > 'epoch' AND hour < $1 RETURNING pair_id, calls)
INSERT INTO key_calls AS held (pair_id, hour, calls) SELECT pair_id, 'epoch', sum(calls) FROM old GROUP BY pair_id ORDER BY pair_id
ON CONFLICT (pair_id, hour) DO UPDATE SET calls = held.calls + excluded.calls
"""


async def fold(pool: asyncpg.Pool, now: datetime) -> None:
    """Keep the hours of the last KEPT_DAYS; those before become one number a pair, so that its total stays and its rows are bounded."""
    await pool.execute(_FOLD, now - timedelta(days=KEPT_DAYS))


class UsageCounter:
    """Counts accepted keys by pair. A crash loses at most the last minute's counts, and never an answer."""

    def __init__(self, pool: asyncpg.Pool, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives Unix seconds."""
        self._pool, self._clock = pool, clock
        self._calls: dict[str, int] = {}
        self._last: dict[str, float] = {}

    def count(self, pair_id: str) -> None:
        """One accepted use, now."""
        self._calls[pair_id] = self._calls.get(pair_id, 0) + 1
        self._last[pair_id] = self._clock()

    async def run(self) -> None:
        """Write every minute, and at each full hour so that no call is counted to the wrong one; what cannot be written waits."""
        while True:
            began = self._clock()
            await asyncio.sleep(min(FLUSH_SECONDS, _HOUR - began % _HOUR))
            await self.flush(began)

    async def flush(self, began: float | None = None) -> None:
        """Write what was counted; `began` is a moment of the hour in which it was, the present one when not given."""
        calls, last, self._calls, self._last = self._calls, self._last, {}, {}
        if not calls:
            return
        at = self._clock() if began is None else began
        hour = datetime.fromtimestamp(at - at % _HOUR, UTC)
        pair_ids = sorted(calls)
        try:
            async with self._pool.acquire() as db, db.transaction():
                await db.execute(_CALLS, pair_ids, hour, [calls[pair_id] for pair_id in pair_ids])
                await db.execute(_LAST_USED, pair_ids, [datetime.fromtimestamp(last[pair_id], UTC) for pair_id in pair_ids])
        except BaseException as error:  # a cancelled flush too must not lose what was counted
            for pair_id, number in calls.items():  # back to what has been counted since; the next flush tries again
                self._calls[pair_id] = self._calls.get(pair_id, 0) + number
                self._last.setdefault(pair_id, last[pair_id])
            if not isinstance(error, _AWAY):
                raise
