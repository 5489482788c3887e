"""One metrics service on a fresh database a test, with judges instead of Kafka and identity."""

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator

import asyncpg
import httpx2
import pytest
from latchkey.events.registry import AppRegistered

from services.metrics.projections.apps import Apps
from services.metrics.settings import Settings
from services.metrics.wiring import MIGRATIONS, VIEWS, build_app
from shared.http.tokens import NeverRevoked, TokenChecker
from shared.ids import new_id
from shared.store.migrations import migrate
from stack.databases import Database
from stack.testing import RealStack
from tests.metrics.shop import MADE, OWNER, Judge, Shop, pair, told
from tests.tokens import OneKey


@pytest.fixture(scope="module")
def database(stack: RealStack) -> Iterator[Database]:
    """Migrated; the tests of a module share it, each with an app of its own."""
    made = stack.fresh_database("metrics")
    asyncio.run(migrate(made.owner, MIGRATIONS, VIEWS))
    yield made
    stack.drop(made)


@pytest.fixture
def settings(database: Database, stack: RealStack) -> Settings:
    """What the processes are told."""
    return Settings.from_env(
        "METRICS_",
        {
            "METRICS_DATABASE_URL": database.app, "METRICS_READ_DATABASE_URL": database.read, "METRICS_REDIS_URL": stack.redis_url,
            "METRICS_KAFKA_BOOTSTRAP": stack.bootstrap, "METRICS_IDENTITY_URL": "http://127.0.0.1:9",
            "METRICS_MASTER_KEY": base64.b64encode(bytes(range(32))).decode(),
        },
    )  # fmt: skip


@pytest.fixture
async def shop(settings: Settings, database: Database) -> AsyncIterator[Shop]:
    """An app of acc_owner, with the pair kp_1."""
    app_id, judge = new_id("app"), Judge()
    judge.hold(pair(app_id, "kp_1"))
    db = await asyncpg.connect(database.owner)
    registered = AppRegistered(
        app_id=app_id, owner_id=OWNER, product_id="pay", name="Shop", country="DE", status="active", registered_at=MADE
    )
    async with db.transaction():
        await Apps().apply(db, [told(registered, app_id)])
    try:
        async with build_app(settings, judge, TokenChecker(OneKey(), NeverRevoked()), []) as app:
            transport = httpx2.ASGITransport(app=app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://metrics") as http:
                yield Shop(http, judge, db, app_id)
    finally:
        await db.close()
