"""The conditions that every query shares: whose app it is, and what the filters leave."""

from collections.abc import Sequence
from datetime import date, datetime
from types import MappingProxyType
from typing import Any, Final
from zoneinfo import ZoneInfo

import asyncpg

from services.metrics.domain import periods
from services.metrics.domain.errors import AppNotFound
from services.metrics.queries.views import Filters

# $1 app, $2 statuses, $3 currencies, $4 environment, $5 payment mode, $6 pair, $7 lineage
MATCHES: Final = """
    app_id = $1 AND (cardinality($2::text[]) = 0 OR status = ANY($2)) AND (cardinality($3::text[]) = 0 OR currency = ANY($3))
    AND ($4::text IS NULL OR environment = $4) AND ($5::text IS NULL OR payment_mode = $5) AND ($6::text IS NULL OR pair_id = $6)
    AND ($7::text IS NULL OR pair_id IN (SELECT pair_id FROM pairs WHERE lineage_id = $7 AND app_id = $1))
"""
PLANNING: Final = MappingProxyType({"plan_cache_mode": "force_custom_plan", "max_parallel_workers_per_gather": "0"})
"""Of the sessions that these queries are asked in.

Each question is planned for its own values. A plan for any values, which PostgreSQL may go over to after the fifth time, does not know that
a filter is absent or how few rows a search leaves: of a million transactions the search took 506 ms instead of 2.4 and the overview 19
instead of 4.3, where a plan costs 1 ms. And none gets helpers: to start two for the 4,000 cells of 90 days takes longer than to add them
up.
"""
_APP: Final = "SELECT registered_at FROM apps WHERE app_id = $1 AND owner_id = $2"
_FIRST: Final = "SELECT min(start) FROM rollups WHERE app_id = $1 AND count > 0"


def matching(filters: Filters) -> Sequence[Any]:
    """The parameters $2 to $7."""
    return (
        list(filters.statuses), list(filters.currencies), filters.environment, filters.payment_mode, filters.pair_id, filters.lineage_id,
    )  # fmt: skip


async def registered(pool: asyncpg.Pool, account_id: str, app_id: str) -> datetime:
    """When the app was made. Raises AppNotFound also for somebody else's app."""
    found: datetime | None = await pool.fetchval(_APP, app_id, account_id)
    if found is None:
        raise AppNotFound
    return found


async def earliest(pool: asyncpg.Pool, app_id: str, made: datetime, zone: ZoneInfo) -> date:
    """The day on which the app was made or had its first transaction, whichever came first."""
    first: datetime | None = await pool.fetchval(_FIRST, app_id)
    return periods.day_of(min(made, first or made), zone)
