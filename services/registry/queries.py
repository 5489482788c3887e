"""What registry can be asked. Every question about an app or a subscription names the tenant that asks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from services.registry.domain.catalog import PRODUCTS
from services.registry.domain.details import folded
from services.registry.domain.errors import NoLogo
from shared.errors import NotFound

_APP: Final = (
    "app_id, product_id, name, status, country, state, email, address, postal_code, city, phone, logo_hash, registered_at, version"
)
SORTS: Final = {
    "registered_at": "app_id",  # which begins with that time
    "name": r"""left(regexp_replace(normalize(folded, NFD), '[\u0300-\u036f]', '', 'g'), 64) COLLATE "C" """,
    "status": "status",
}
"""What lists of apps can be sorted by; the app's id breaks every tie. Names are compared without accents and by code point, which is the
same on every PostgreSQL: not each was built with ICU. Their beginning is enough, and keeps the cursor short."""
_SUBSCRIPTION: Final = "subscription_id, product_id, active, version"


@dataclass(frozen=True, slots=True)
class AppView:
    app_id: str
    product_id: str
    name: str
    status: str
    country: str
    state: str | None
    email: str
    address: str
    postal_code: str
    city: str | None
    phone: str | None
    logo_hash: str | None
    registered_at: datetime
    version: int


@dataclass(frozen=True, slots=True)
class Order:
    """How a list of apps is sorted, and the place after which it goes on: the sorted value and the id of the last app before it."""

    by: str = "registered_at"
    descending: bool = True
    after: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class SubscriptionView:
    subscription_id: str
    product_id: str
    active: bool
    version: int


@dataclass(frozen=True, slots=True)
class CatalogItem:
    product_id: str
    name: str
    summary: str
    subscribed: bool


@dataclass(frozen=True, slots=True)
class DomainView:
    domain: str
    proof: str
    added_at: datetime
    verified_at: datetime | None


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One event of an app: what happened, who did it and when; `changed` names fields, never their values."""

    version: int
    event: str
    actor: str
    at: datetime
    changed: tuple[str, ...]
    domain: str | None


@dataclass(frozen=True, slots=True)
class Logo:
    hash: str
    png: bytes


class RegistryQueries:
    """Reads of the registry's own views and of its log."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def get_app(self, app_id: str, *, tenant: str) -> AppView:
        """Raises NotFound, also for an app of somebody else."""
        row = await self._pool.fetchrow(f"SELECT {_APP} FROM apps WHERE app_id = $1 AND owner_id = $2", app_id, tenant)
        if row is None:
            raise NotFound
        return AppView(*row)

    async def list_apps(
        self, *, tenant: str, q: str | None, status: str | None, order: Order, limit: int
    ) -> Sequence[tuple[AppView, tuple[str, str]]]:
        """Each with its place in the order. Archived ones only when that status is asked for. `q` is looked for in names and ids."""
        by, (turn, beyond) = SORTS[order.by], ("DESC", "<") if order.descending else ("ASC", ">")
        value, last = order.after or (None, None)
        rows = await self._pool.fetch(
            f"""SELECT {_APP}, {by} FROM apps WHERE owner_id = $1 AND ($2::text IS NULL OR ({by}, app_id) {beyond} ($2, $3))
                AND CASE WHEN $4::text IS NULL THEN status <> 'archived' ELSE status = $4 END
                AND ($5::text IS NULL OR strpos(folded, $5) > 0 OR app_id = $6)
                ORDER BY {by} {turn}, app_id {turn} LIMIT $7""",
            tenant, value, last, status, folded(q) if q else None, q, limit,
        )  # fmt: skip
        return [(app := AppView(*row[:-1]), (row[-1], app.app_id)) for row in rows]

    async def list_app_ids(self, *, tenant: str) -> Sequence[str]:
        """Every app of an owner, archived ones too."""
        return [row[0] for row in await self._pool.fetch("SELECT app_id FROM apps WHERE owner_id = $1 ORDER BY app_id", tenant)]

    async def get_logo(self, app_id: str, *, tenant: str) -> Logo:
        """Raises NotFound, and NoLogo for an app without one."""
        row = await self._pool.fetchrow(
            "SELECT l.hash, l.png FROM apps a LEFT JOIN logos l ON l.hash = a.logo_hash WHERE a.app_id = $1 AND a.owner_id = $2",
            app_id,
            tenant,
        )
        if row is None:
            raise NotFound
        if row["hash"] is None:
            raise NoLogo
        return Logo(*row)

    async def list_domains(self, app_id: str, *, tenant: str) -> tuple[Sequence[DomainView], int]:
        """By name, with the app's version. Raises NotFound."""
        rows = await self._pool.fetch(
            """SELECT d.domain, d.proof, d.added_at, d.verified_at, a.version FROM apps a LEFT JOIN domains d USING (app_id)
               WHERE a.app_id = $1 AND a.owner_id = $2 ORDER BY d.domain""",
            app_id, tenant,
        )  # fmt: skip
        if not rows:
            raise NotFound
        return [DomainView(*row[:4]) for row in rows if row["domain"] is not None], rows[0]["version"]

    async def list_history(self, app_id: str, *, tenant: str, before: int | None, limit: int) -> Sequence[HistoryEntry]:
        """Latest first, below the version `before`. Raises NotFound."""
        await self.get_app(app_id, tenant=tenant)
        rows = await self._pool.fetch(
            """SELECT version, type, meta->>'actor', recorded_at, array(SELECT json_array_elements_text(data->'changed')), data->>'domain'
               FROM es.events WHERE stream_id = $1 AND ($2::int IS NULL OR version < $2) ORDER BY version DESC LIMIT $3""",
            app_id, before, limit,
        )  # fmt: skip
        return [HistoryEntry(version, event, actor, at, tuple(changed), domain) for version, event, actor, at, changed, domain in rows]

    async def list_catalog(self, *, tenant: str) -> Sequence[CatalogItem]:
        """Every product, and whether the tenant is subscribed to it."""
        subscribed = {held.product_id for held in await self.list_subscriptions(tenant=tenant)}
        return [CatalogItem(p.product_id, p.name, p.summary, p.product_id in subscribed) for p in PRODUCTS.values()]

    async def list_subscriptions(self, *, tenant: str) -> Sequence[SubscriptionView]:
        """What the tenant is subscribed to now."""
        rows = await self._pool.fetch(
            f"SELECT {_SUBSCRIPTION} FROM subscriptions WHERE account_id = $1 AND active ORDER BY product_id", tenant
        )
        return [SubscriptionView(*row) for row in rows]

    async def get_subscription(self, subscription_id: str, *, tenant: str) -> SubscriptionView:
        """Also one that has ended. Raises NotFound."""
        statement = f"SELECT {_SUBSCRIPTION} FROM subscriptions WHERE subscription_id = $1 AND account_id = $2"
        row = await self._pool.fetchrow(statement, subscription_id, tenant)
        if row is None:
            raise NotFound
        return SubscriptionView(*row)
