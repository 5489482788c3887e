"""Who did what to an app's keys and when, from the log itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

_HISTORY: Final = """
SELECT e.position, e.type, e.meta->>'actor', e.recorded_at, k.environment,
    coalesce(e.data->>'pair_id', e.data->>'old_pair_id', e.data->'pair'->>'pair_id'), e.data->>'reason'
FROM keyrings k JOIN es.events e ON e.stream_id = k.ring_id
WHERE k.app_id = $1 AND k.tenant = $2 AND ($3::bigint IS NULL OR e.position < $3) AND e.type <> 'keys.KeyringOpened'
ORDER BY e.position DESC LIMIT $4
"""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One event of a ring; `pair_id` is the pair that it is about (of a rotation the old one), none where it is about the ring."""

    position: int
    event: str
    actor: str
    at: datetime
    environment: str
    pair_id: str | None
    reason: str | None


class HistoryQueries:
    """Reads of the keys service's own log."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def list_history(self, app_id: str, *, tenant: str, before: int | None, limit: int) -> Sequence[HistoryEntry]:
        """Latest first, below the position `before`; of both environments."""
        return [HistoryEntry(*row) for row in await self._pool.fetch(_HISTORY, app_id, tenant, before, limit)]
