"""A log with many events, made quickly through the one way in: for what reads a log."""

from collections.abc import Sequence
from dataclasses import replace

import asyncpg

from shared.store.aggregates import Aggregates
from shared.store.contract import View
from shared.store.migrations import migrate
from shared.store.postgres import StoreSettings, open_store
from shared.wake import LocalWake
from stack.databases import Database
from tests.shared.toy import JAR, NO_MIGRATIONS, Filled, Jar, JarEvent, context

STREAMS = 500
PER_APPEND = 200
PLAIN_JAR = replace(JAR, states=lambda _event, _state, _version: ())  # events only: the peer sends nothing to compacted topics either


async def seed(database: Database, events: int, *, views: Sequence[View] = ()) -> None:
    """Fill a fresh database with public events over 500 streams, and the inline views that are asked for."""
    await migrate(database.owner, NO_MIGRATIONS, views)
    await more(database, events, views=views)
    db = await asyncpg.connect(database.owner)
    await db.execute("ANALYZE es.events")
    await db.close()


async def more(database: Database, events: int, *, views: Sequence[View] = ()) -> None:
    """Append more events to it."""
    async with open_store(StoreSettings(database.app, b"k" * 32, transaction_seconds=30), views, {}, LocalWake()) as (store, _):
        jars: Aggregates[Jar, JarEvent] = Aggregates(PLAIN_JAR, store)
        for number in range(events // PER_APPEND):
            await jars.decide(f"jar_{number % STREAMS}", lambda _: [Filled(1)] * PER_APPEND, context())
