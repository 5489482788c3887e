"""What registry and identity announced, as rows of ours: apps, subscriptions, erased accounts."""

from collections.abc import Sequence

import asyncpg
from latchkey.consumer import Handler
from latchkey.envelope import Envelope
from latchkey.events.identity import AccountErased
from latchkey.events.registry import AppRegistered, ServiceSubscribed, ServiceUnsubscribed


class Apps:
    """Each app with its owner and product, from the moment it was registered."""

    async def apply(self, db: asyncpg.Connection, events: Sequence[Envelope]) -> None:
        """See latchkey.consumer.Handler."""
        came = [event.data for event in events if isinstance(event.data, AppRegistered)]
        await db.execute(
            """INSERT INTO apps (app_id, owner_id, product_id) SELECT * FROM unnest($1::text[], $2::text[], $3::text[])
               ON CONFLICT (app_id) DO UPDATE SET owner_id = excluded.owner_id, product_id = excluded.product_id""",
            [app.app_id for app in came], [app.owner_id for app in came], [app.product_id for app in came],
        )  # fmt: skip


class Subscriptions:
    """Whether an account subscribes to a product, and the version of the subscription that says so."""

    async def apply(self, db: asyncpg.Connection, events: Sequence[Envelope]) -> None:
        """See latchkey.consumer.Handler."""
        latest = {
            (event.data.account_id, event.data.product_id): (event.subject, isinstance(event.data, ServiceSubscribed), event.streamversion)
            for event in events
            if isinstance(event.data, ServiceSubscribed | ServiceUnsubscribed)
        }
        rows = [(*key, *row) for key, row in sorted(latest.items())]
        await db.executemany(
            """INSERT INTO subscriptions (account_id, product_id, subscription_id, subscribed, version) VALUES ($1, $2, $3, $4, $5)
               ON CONFLICT (account_id, product_id) DO UPDATE
               SET subscription_id = excluded.subscription_id, subscribed = excluded.subscribed, version = excluded.version""",
            rows,
        )


class ErasedAccounts:
    """The accounts that are gone, so that nothing which arrives late brings keys of theirs to life."""

    async def apply(self, db: asyncpg.Connection, events: Sequence[Envelope]) -> None:
        """See latchkey.consumer.Handler."""
        rows = [(event.subject, event.streamversion) for event in events if isinstance(event.data, AccountErased)]
        await db.executemany("INSERT INTO erased_accounts (account_id, version) VALUES ($1, $2) ON CONFLICT DO NOTHING", rows)


class Foreign:
    """Several read models behind one checkpoint: whoever has seen an event in one of them has seen it in all."""

    def __init__(self, models: Sequence[Handler]) -> None:
        self._models = models

    async def apply(self, db: asyncpg.Connection, events: Sequence[Envelope]) -> None:
        """See latchkey.consumer.Handler."""
        for model in self._models:
            await model.apply(db, events)
