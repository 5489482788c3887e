"""What metrics does at a time: the partitions of the months to come."""

from typing import Final

import asyncpg

AHEAD: Final = 3


class Months:
    """Makes the partitions of this month and the next three, so that no row of theirs ends up in the one for all other times."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def make(self) -> int:
        """How many were made; none on most days."""
        made: int = await self._pool.fetchval("SELECT make_transaction_partitions(0, $1)", AHEAD)
        return made
