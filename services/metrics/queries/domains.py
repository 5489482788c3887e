"""From which pages an app's public keys may be used."""

from typing import Final
from urllib.parse import urlsplit

import asyncpg

_PERMITTED: Final = """
SELECT count(*) = 0 OR bool_or($2 = domain OR right($2, length(domain) + 1) = '.' || domain) FROM app_domains WHERE app_id = $1
"""


class DomainQueries:
    """The domains that registry told us of."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def permits(self, app_id: str, origin: str) -> bool:
        """Whether a page of this origin may use the app's public keys: on a verified domain or beneath one; anywhere while none is."""
        return bool(await self._pool.fetchval(_PERMITTED, app_id, host(origin)))


def host(origin: str) -> str:
    """The host in an Origin header; empty for `null` and for what is no origin."""
    try:
        return (urlsplit(origin).hostname or "").removesuffix(".")
    except ValueError:
        return ""
