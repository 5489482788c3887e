"""The database's time, by which deadlines are set and judged, told without asking the database each time."""

import time
from datetime import UTC, datetime
from functools import partial
from typing import Final

import asyncpg

_elapsed: Final = partial(time.clock_gettime, time.CLOCK_BOOTTIME)


class DatabaseClock:
    """Between two measurements this machine's clock that is never set back carries the time on."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._offset = time.time() - _elapsed()

    async def measure(self) -> None:
        """Ask the database; the middle of the round trip is taken for the moment of its answer."""
        before = _elapsed()
        told: datetime = await self._pool.fetchval("SELECT clock_timestamp()")
        self._offset = told.timestamp() - (before + _elapsed()) / 2

    def seconds(self) -> float:
        """Unix seconds."""
        return _elapsed() + self._offset

    def now(self) -> datetime:
        """The same with a zone: UTC."""
        return datetime.fromtimestamp(self.seconds(), UTC)
