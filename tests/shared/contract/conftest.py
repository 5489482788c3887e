"""The stores that the contract suite runs against: each test that takes `store` runs once in memory and once on PostgreSQL."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from shared.store.contract import Store
from shared.store.memory import MemoryStore
from shared.store.migrations import migrate
from shared.store.postgres import StoreSettings, open_store
from shared.store.records import Recorded
from shared.wake import LocalWake
from stack.databases import Database

from tests.conftest import DatabaseFactory
from tests.shared.toy import NO_MIGRATIONS, REFUSALS, Jars, Labelled, LabelTaken

MASTER = b"m" * 32


@pytest.fixture
async def database(fresh_database: DatabaseFactory) -> Database:
    """A database of the toy service, migrated."""
    made = await fresh_database("toy")
    await migrate(made.owner, NO_MIGRATIONS, [Jars()])
    return made


@asynccontextmanager
async def opened(database: Database) -> AsyncIterator[Store]:
    """Another process's store on the same database, as far as the database can tell."""
    async with open_store(StoreSettings(database.app, MASTER), [Jars()], REFUSALS, LocalWake()) as (store, _):
        yield store


def _one_label_a_jar() -> MemoryStore:
    labels: dict[str, str] = {}

    def guard(recorded: Sequence[Recorded[Any]]) -> None:
        for item in recorded:
            if isinstance(item.event, Labelled):
                if labels.setdefault(item.event.label, item.stream_id) != item.stream_id:
                    raise LabelTaken

    return MemoryStore([guard])


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.stack)])
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    """The store under test."""
    if request.param == "memory":
        yield _one_label_a_jar()
        return
    database: Database = await request.getfixturevalue("database")
    async with opened(database) as made:
        yield made
