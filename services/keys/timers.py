"""What happens at a time: overlaps that are over and pairs that expire are written in their instant."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final

from services.keys.commands import KeyCommands
from services.keys.queries.pairs import PairQueries
from shared.ids import new_id
from shared.store.records import Context

_LOOK_SECONDS: Final = 0.5  # a deadline that was set meanwhile is noticed within this
_AT_ONCE: Final = 100


class Deadlines:
    """Settles rings whose deadline has come. Verifiers keep to the deadlines by themselves: this tells everyone else."""

    def __init__(self, commands: KeyCommands, queries: PairQueries, now: Callable[[], datetime]) -> None:
        """`now` tells the database's time."""
        self._commands, self._queries, self._now = commands, queries, now

    async def settle(self) -> None:
        """Settle what is due, then wait for the next deadline, at most half a second."""
        due = await self._queries.list_due_rings(_AT_ONCE)
        for ring_id, tenant in due:
            await self._commands.settle(ring_id, Context("keys", tenant, self._now(), new_id("due")))
        if not due:
            following = await self._queries.find_next_deadline()
            left = _LOOK_SECONDS if following is None else (following - self._now()).total_seconds()
            await asyncio.sleep(max(0.0, min(left, _LOOK_SECONDS)))
