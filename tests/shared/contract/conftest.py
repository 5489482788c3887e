"""The stores that the contract suite runs against: each test that takes `store` runs once in memory and once on PostgreSQL."""

from collections.abc import AsyncIterator, Callable, Sequence
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
from tests.shared.toy import NO_MIGRATIONS, REFUSALS, Jars, Labelled, LabelTaken

MASTER = b"m" * 32


@pytest.fixture
async def database(fresh_database: Callable[[str], Database]) -> Database:
    """A database of the toy service, migrated."""
    made = fresh_database("toy")
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
                if labels.get(item.event.label, item.stream_id) != item.stream_id:
                    raise LabelTaken
                for given_up in [label for label, jar in labels.items() if jar == item.stream_id]:
                    del labels[given_up]
                labels[item.event.label] = item.stream_id

    return MemoryStore([guard])


@pytest.fixture
def memory_store() -> Store:
    """The store in memory, with the toy's one rule on labels."""
    return _one_label_a_jar()


@pytest.fixture
async def postgres_store(database: Database) -> AsyncIterator[Store]:
    """The store on PostgreSQL."""
    async with opened(database) as made:
        yield made


@pytest.fixture(params=["memory", pytest.param("postgres", marks=pytest.mark.stack)])
def store(request: pytest.FixtureRequest) -> Store:
    """The store under test."""
    made: Store = request.getfixturevalue(f"{request.param}_store")
    return made
