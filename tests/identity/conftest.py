"""The identity service on a fresh real database, behind its ASGI door, and a mailbox that reads what it mailed."""

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from services.identity.projections import VIEWS
from services.identity.settings import Settings
from services.identity.wiring import MIGRATIONS, build_main
from shared.store.migrations import migrate
from stack.databases import Database
from stack.testing import RealStack
from tests.identity.person import Identity


@pytest.fixture
async def settings(stack: RealStack, fresh_database: Callable[[str], Database]) -> Settings:
    """Settings of a migrated database of its own; with a master key of its own no limit is shared with another test."""
    database = fresh_database("identity")
    await migrate(database.owner, MIGRATIONS, VIEWS)
    return Settings(
        database_url=database.app, read_database_url=database.read, owner_database_url=database.owner, redis_url=stack.redis_url,
        kafka_bootstrap=stack.bootstrap, identity_url="http://identity.invalid", master_key=secrets.token_bytes(32), smtp_host="127.0.0.1",
        smtp_port=stack.endpoints.smtp_port, mail_from="Latchkey <noreply@latchkey.localhost>", hash_threads=2,
    )  # fmt: skip


@pytest.fixture
async def identity(settings: Settings) -> AsyncIterator[Identity]:
    """The running service."""
    async with AsyncExitStack() as opened:
        app = await opened.enter_async_context(build_main(settings))
        yield await opened.enter_async_context(Identity(app, settings))
