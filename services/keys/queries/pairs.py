"""What can be asked about key pairs. Every question names the tenant that asks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from services.keys.domain.errors import PairNotFound

_PAIR: Final = """
SELECT p.pair_id, k.app_id, k.environment, p.lineage_id, p.status, p.reason, p.public_key, p.secret_last_four, p.created_at, p.expires_at,
    p.valid_until, p.ended_at, p.scopes, p.allowed_origins, p.allowed_ips,
    ARRAY(SELECT s.reason FROM ring_standings s WHERE s.ring_id = k.ring_id AND s.suspends ORDER BY 1) AS suspensions, k.version
FROM pairs p JOIN keyrings k USING (ring_id)
"""


@dataclass(frozen=True, slots=True)
class PairView:
    """A pair as its owner sees it. `suspensions` are the reasons for which the whole ring is off; `version` is the ring's."""

    pair_id: str
    app_id: str
    environment: str
    lineage_id: str
    status: str
    reason: str | None
    public_key: str
    secret_last_four: str
    created_at: datetime
    expires_at: datetime | None
    valid_until: datetime | None
    ended_at: datetime | None
    scopes: Sequence[str]
    allowed_origins: Sequence[str]
    allowed_ips: Sequence[str]
    suspensions: Sequence[str]
    version: int


@dataclass(frozen=True, slots=True)
class HourView:
    """How many times a pair's keys were accepted within an hour that began at `hour`."""

    hour: datetime
    calls: int


@dataclass(frozen=True, slots=True)
class UsageView:
    last_used_at: datetime | None
    total: int
    hours: Sequence[HourView]


class PairQueries:
    """Reads of the keys service's own views."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def get_pair(self, app_id: str, pair_id: str, *, tenant: str) -> PairView:
        """Raises PairNotFound, also for a pair of another app or tenant."""
        row = await self._pool.fetchrow(f"{_PAIR} WHERE p.pair_id = $1 AND k.app_id = $2 AND k.tenant = $3", pair_id, app_id, tenant)
        if row is None:
            raise PairNotFound
        return PairView(*row)

    async def list_pairs(self, app_id: str, *, tenant: str, environment: str | None, after: str | None, limit: int) -> Sequence[PairView]:
        """Newest first, below the pair `after`."""
        rows = await self._pool.fetch(
            f"""{_PAIR} WHERE k.app_id = $1 AND k.tenant = $2 AND ($3::text IS NULL OR k.environment = $3)
                AND ($4::text IS NULL OR p.pair_id < $4) ORDER BY p.pair_id DESC LIMIT $5""",
            app_id, tenant, environment, after, limit,
        )  # fmt: skip
        return [PairView(*row) for row in rows]

    async def get_usage(self, app_id: str, pair_id: str, *, tenant: str, since: datetime) -> UsageView:
        """Calls per hour since then, and in all. Raises PairNotFound."""
        await self.get_pair(app_id, pair_id, tenant=tenant)
        last = await self._pool.fetchval("SELECT last_used_at FROM key_last_used WHERE pair_id = $1", pair_id)
        total = await self._pool.fetchval("SELECT coalesce(sum(calls), 0)::bigint FROM key_calls WHERE pair_id = $1", pair_id)
        hours = await self._pool.fetch("SELECT hour, calls FROM key_calls WHERE pair_id = $1 AND hour > $2 ORDER BY hour", pair_id, since)
        return UsageView(last, total, [HourView(*row) for row in hours])

    async def list_due_rings(self, limit: int) -> Sequence[tuple[str, str]]:
        """Rings, each with its tenant, in which a pair's deadline has passed by the database's clock."""
        rows = await self._pool.fetch(
            """SELECT DISTINCT ring_id, tenant FROM pairs JOIN keyrings USING (ring_id)
               WHERE ended_at IS NULL AND (valid_until IS NOT NULL OR expires_at IS NOT NULL)
               AND least(valid_until, expires_at) <= clock_timestamp() LIMIT $1""",
            limit,
        )
        return [(ring_id, tenant) for ring_id, tenant in rows]

    async def find_next_deadline(self) -> datetime | None:
        """The first deadline of a live pair."""
        found: datetime | None = await self._pool.fetchval(
            """SELECT min(least(valid_until, expires_at)) FROM pairs
               WHERE ended_at IS NULL AND (valid_until IS NOT NULL OR expires_at IS NOT NULL)"""
        )
        return found
