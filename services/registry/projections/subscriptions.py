"""Events to rows: what accounts are subscribed to."""

from collections.abc import Sequence
from typing import Any, ClassVar

import asyncpg

from services.registry.domain.events import ServiceSubscribed, ServiceUnsubscribed
from shared.store.records import Recorded

_UPSERT_SUBSCRIPTIONS = """
INSERT INTO subscriptions{0} AS held (subscription_id, account_id, product_id, active, version)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::boolean[], $5::int[]) AS row (subscription_id) ORDER BY 1
ON CONFLICT (subscription_id) DO UPDATE SET active = excluded.active, version = excluded.version
"""


class Subscriptions:
    """A row per account and product that was ever subscribed to."""

    name: ClassVar[str] = "subscriptions"
    shape: ClassVar[int] = 1
    names: ClassVar[Sequence[str]] = ("subscriptions",)

    def tables(self, suffix: str) -> str:
        return f"""
        CREATE TABLE subscriptions{suffix} (
            subscription_id text COLLATE "C" PRIMARY KEY, account_id text NOT NULL, product_id text NOT NULL, active boolean NOT NULL,
            version int NOT NULL)"""

    def indexes(self, suffix: str) -> str:
        return f"CREATE INDEX subscriptions{suffix}_account ON subscriptions{suffix} (account_id)"

    async def apply(self, db: asyncpg.Connection, suffix: str, events: Sequence[Recorded[Any]]) -> None:
        last = {recorded.stream_id: row for recorded in events if (row := _subscription(recorded))}
        if last:
            await db.execute(_UPSERT_SUBSCRIPTIONS.format(suffix), *map(list, zip(*last.values(), strict=True)))


def _subscription(recorded: Recorded[Any]) -> tuple[object, ...] | None:
    match recorded.event:
        case ServiceSubscribed(account_id, product_id) | ServiceUnsubscribed(account_id, product_id):
            active = isinstance(recorded.event, ServiceSubscribed)
            return recorded.stream_id, account_id, product_id, active, recorded.version
        case _:
            return None
