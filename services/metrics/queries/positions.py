"""How far the views have come that other services' events feed."""

from typing import Final

import asyncpg

APPS: Final = "apps"
_SEEN: Final = "SELECT last_version >= $3 FROM latchkey.seen WHERE projection = $1 AND version = 1 AND stream_id = $2"


class AppPositions:
    """See Positions: which version of an app's stream the view of apps holds."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def reached(self, stream_id: str, version: int) -> bool:
        """See Positions."""
        return bool(await self._pool.fetchval(_SEEN, APPS, stream_id, version))
