"""One registry a test, with a key set of the tests' own instead of identity."""

import asyncio
import base64
import itertools
from collections.abc import AsyncIterator, Iterator

import asyncpg
import httpx2
import pytest

from services.registry.settings import PREFIX, Settings
from services.registry.wiring import MIGRATIONS, VIEWS, build_app
from shared.http.tokens import NeverRevoked, TokenChecker
from shared.store.migrations import migrate
from stack.databases import Database
from stack.testing import RealStack
from tests.registry.owner import Owner
from tests.tokens import OneKey

_accounts = itertools.count(1)


@pytest.fixture(scope="module")
def database(stack: RealStack) -> Iterator[Database]:
    """Migrated, and shared by the tests of a module: each brings accounts of its own."""
    made = stack.fresh_database("registry")
    asyncio.run(migrate(made.owner, MIGRATIONS, VIEWS))
    yield made
    stack.drop(made)


@pytest.fixture
def settings(database: Database, stack: RealStack) -> Settings:
    """What the processes are told."""
    told = {
        "DATABASE_URL": database.app, "READ_DATABASE_URL": database.read, "REDIS_URL": stack.redis_url,
        "KAFKA_BOOTSTRAP": stack.bootstrap, "IDENTITY_URL": "http://127.0.0.1:9", "MASTER_KEY": base64.b64encode(bytes(range(32))).decode(),
    }  # fmt: skip
    return Settings.from_env(PREFIX, {PREFIX + name: value for name, value in told.items()})


@pytest.fixture
async def http(settings: Settings) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the service's app."""
    async with (
        build_app(settings, TokenChecker(OneKey(), NeverRevoked())) as app,
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://registry") as client,
    ):
        yield client


@pytest.fixture
async def newcomer(http: httpx2.AsyncClient) -> Owner:
    """Signed in, subscribed to nothing."""
    return Owner(http, f"acc_{next(_accounts)}")


@pytest.fixture
async def owner(newcomer: Owner) -> Owner:
    """Subscribed to the payments product."""
    await newcomer.subscribe()
    return newcomer


@pytest.fixture
async def stranger(http: httpx2.AsyncClient) -> Owner:
    """Somebody else, subscribed too."""
    made = Owner(http, f"acc_{next(_accounts)}")
    await made.subscribe()
    return made


@pytest.fixture
async def db(database: Database) -> AsyncIterator[asyncpg.Connection]:
    """The database, as its owner."""
    connection = await asyncpg.connect(database.owner)
    try:
        yield connection
    finally:
        await connection.close()
