"""One metrics service on a fresh database a test, with judges instead of Kafka and identity."""

import base64
from collections.abc import AsyncIterator, Callable

import asyncpg
import httpx2
import pytest
from latchkey.events.registry import AppRegistered

from services.metrics.projections.apps import Apps
from services.metrics.settings import Settings
from services.metrics.wiring import MIGRATIONS, VIEWS, build_app
from shared.http.tokens import NeverRevoked, TokenChecker
from shared.store.migrations import migrate
from stack.databases import Database
from stack.testing import RealStack
from tests.metrics.shop import APP, MADE, OWNER, Judge, Shop, pair, told
from tests.tokens import TestKeys


@pytest.fixture
async def database(fresh_database: Callable[[str], Database]) -> Database:
    """Migrated."""
    made = fresh_database("metrics")
    await migrate(made.owner, MIGRATIONS, VIEWS)
    return made


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
    """The app app_1 of acc_owner, with the pair kp_1."""
    judge = Judge()
    judge.hold(pair("kp_1"))
    db = await asyncpg.connect(database.owner)
    registered = AppRegistered(app_id=APP, owner_id=OWNER, product_id="pay", name="Shop", country="DE", status="active", registered_at=MADE)
    async with db.transaction():
        await Apps().apply(db, [told(registered, APP)])
    try:
        async with build_app(settings, judge, TokenChecker(TestKeys(), NeverRevoked()), []) as app:
            transport = httpx2.ASGITransport(app=app)
            async with httpx2.AsyncClient(transport=transport, base_url="http://metrics") as http:
                yield Shop(http, judge, db)
    finally:
        await db.close()
