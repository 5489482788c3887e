"""The log can only grow: by grants, by triggers, and by a hash chain that names what somebody with more rights changed."""

import asyncpg
import pytest

from shared.store.aggregates import Aggregates
from shared.store.records import chain
from stack.databases import Database
from stack.testing import RealStack
from tests.shared.contract.conftest import opened
from tests.shared.toy import JAR, Filling, Jar, JarEvent, Labelling, context

pytestmark = pytest.mark.stack

CHANGES = ["UPDATE es.events SET data = '{}'", "DELETE FROM es.events", "TRUNCATE es.events"]


async def fill(database: Database) -> None:
    async with opened(database) as store:
        jars: Aggregates[Jar, JarEvent] = Aggregates(JAR, store)
        await jars.decide("jar_1", Labelling("plums"), context())
        await jars.decide("jar_1", Filling(1), context())


@pytest.mark.parametrize("statement", CHANGES)
@pytest.mark.parametrize("role", ["owner", "app", "read"])
async def test_no_role_can_change_what_was_written(database: Database, role: str, statement: str) -> None:
    await fill(database)
    db = await asyncpg.connect(getattr(database, role))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await db.execute(statement)
        assert await db.fetchval("SELECT count(*) FROM es.events") == 2
    finally:
        await db.close()


async def test_the_reading_role_reads_and_nothing_else(database: Database) -> None:
    await fill(database)
    db = await asyncpg.connect(database.read)
    try:
        assert await db.fetchval("SELECT count(*) FROM jars") == 1
        for statement in (
            "INSERT INTO jars_v1 VALUES ('x', 'x', 1, 'x', 1)",
            "DELETE FROM es.commands",
            "SELECT nextval('es.events_position')",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await db.execute(statement)
    finally:
        await db.close()


TAMPERING = {
    "stream_type": "'other'", "version": "7", "type": "'toy.Other'", "schema_version": "2", "data": "'{\"amount\":2}'",
    "public": "'x'", "public_type": "'other'", "public_version": "9", "states": "'[]'", "meta": "'{}'", "recorded_at": "now()",
}  # fmt: skip


@pytest.mark.parametrize("column", TAMPERING)
async def test_a_superusers_change_to_any_column_breaks_the_chain(database: Database, stack: RealStack, column: str) -> None:
    await fill(database)
    db = await asyncpg.connect(stack.superuser_dsn.rpartition("/")[0] + f"/{database.name}")
    try:
        await db.execute("ALTER TABLE es.events DISABLE TRIGGER ALL")
        await db.execute(f"UPDATE es.events SET {column} = {TAMPERING[column]} WHERE version = 2")
    finally:
        await db.close()
    async with opened(database) as store:
        previous, broken = b"", []
        for found in await store.since({"jar_1": 0}):
            if chain(previous, found.row) != found.row.hash:
                broken.append(found.position)
            previous = found.row.hash
    assert broken == [2]
