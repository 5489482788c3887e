"""Rows: pages of transactions, files of them, and secret keys that were met in browsers."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final

import asyncpg

from services.metrics.domain import periods
from services.metrics.queries.matching import MATCHES, earliest, matching, registered
from services.metrics.queries.views import ALWAYS, Filters, Listed, Refused

FILE_PAGE: Final = 2_000

# In the order of a Listed's fields. The end of the span stands beside the cursor so that partitions are left out.
_ROWS: Final = f"""
SELECT stream_id, transaction_id, environment, pair_id, occurred_at, updated_at, payment_mode, payment_gateway, currency,
    amount::text AS amount, status, provider_status, reference
FROM transactions WHERE {MATCHES} AND occurred_at >= $8 AND occurred_at < $9 AND occurred_at <= $10
    AND (occurred_at, stream_id) < ($10, $11)
"""
_NEWEST_FIRST: Final = "ORDER BY occurred_at DESC, stream_id DESC LIMIT $12"
_LIST: Final = _ROWS + _NEWEST_FIRST
# The search is by the beginning of the caller's id, written as a range so that the index serves it: ids are visible ASCII, DEL comes after.
_SEARCH: Final = f"{_ROWS} AND transaction_id >= $13 AND transaction_id < $13 || chr(127) {_NEWEST_FIRST}"
_REFUSED: Final = """
SELECT stream_id, version, refused_at, environment, pair_id, origin FROM refusals
WHERE app_id = $1 AND (refused_at, stream_id, version) < ($2, $3, $4) ORDER BY refused_at DESC, stream_id DESC, version DESC LIMIT $5
"""

Place = tuple[datetime, str]  # a row's time and stream, by which the next page is found
NEWEST: Final[Place] = (ALWAYS.end, "~")


class ListQueries:
    """What an app's owner can read row by row. Each method refuses with AppNotFound an app that is not the account's."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def list_transactions(
        self, account_id: str, app_id: str, filters: Filters, now: datetime, *, search: str | None, after: Place | None, limit: int
    ) -> list[Listed]:
        """The newest first. Raises the refusals of S39 for the dates."""
        await self._checked(account_id, app_id, filters, now)
        return await self._page(app_id, filters, search, after or NEWEST, limit)

    async def list_file_pages(
        self, account_id: str, app_id: str, filters: Filters, now: datetime, *, search: str | None
    ) -> AsyncIterator[list[Listed]]:
        """All of them in pages, the newest first, without holding a connection between two. Refuses as the list does, at once."""
        await self._checked(account_id, app_id, filters, now)
        return self._pages(app_id, filters, search)

    async def list_refusals(self, account_id: str, app_id: str, *, after: tuple[datetime, str, int] | None, limit: int) -> list[Refused]:
        """Secret keys that were used in browsers, the newest first."""
        await registered(self._pool, account_id, app_id)
        rows = await self._pool.fetch(_REFUSED, app_id, *(after or (*NEWEST, 0)), limit)
        return [Refused(**row) for row in rows]

    async def _checked(self, account_id: str, app_id: str, filters: Filters, now: datetime) -> None:
        made = await registered(self._pool, account_id, app_id)
        if filters.days:
            first = await earliest(self._pool, app_id, made, filters.zone)
            periods.bounded(filters.days, today=periods.day_of(now, filters.zone), earliest=first)

    async def _pages(self, app_id: str, filters: Filters, search: str | None) -> AsyncIterator[list[Listed]]:
        after = NEWEST
        while rows := await self._page(app_id, filters, search, after, FILE_PAGE):
            yield rows
            after = rows[-1].occurred_at, rows[-1].stream_id

    async def _page(self, app_id: str, filters: Filters, search: str | None, after: Place, limit: int) -> list[Listed]:
        span = filters.span
        values = (app_id, *matching(filters), span.start, span.end, *after, limit)
        rows = await (self._pool.fetch(_SEARCH, *values, search) if search else self._pool.fetch(_LIST, *values))
        return list(map(Listed._make, rows))
