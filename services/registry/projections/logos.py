"""The pictures of apps: a table beside the log."""

import asyncpg

_KEEP_LOGO = "INSERT INTO logos (hash, png) VALUES ($1, $2) ON CONFLICT (hash) DO UPDATE SET stored_at = now()"
_SWEEP_LOGOS = """
DELETE FROM logos l WHERE l.stored_at < now() - interval '1 hour' AND NOT EXISTS (SELECT FROM apps a WHERE a.logo_hash = l.hash)
"""


class LogoTable:
    """The pictures that apps show, by the SHA-256 of their bytes: content, not events, so it is written before the event that names it."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def keep(self, logo_hash: str, png: bytes) -> None:
        """Keep a picture; one that is there already counts as uploaded now."""
        await self._pool.execute(_KEEP_LOGO, logo_hash, png)

    async def sweep(self) -> None:
        """Delete the pictures that no app shows, an hour after they were last uploaded."""
        await self._pool.execute(_SWEEP_LOGOS)
