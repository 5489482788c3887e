"""A read model made again from the log is equal, while users keep working, and whatever kills the rebuild."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from shared.rebuild.rebuild import Differs, Rebuild, RebuildRunning
from shared.rebuild.rebuild import opened as parts_of
from shared.rebuild.tables import Begun, drop_old
from shared.store.aggregates import Aggregates
from shared.store.batch import UnknownViewVersion
from shared.store.contract import Store, View
from shared.store.postgres import StoreSettings, open_store, unwritable
from shared.store.records import Recorded
from shared.wake import LocalWake
from stack.databases import Database
from tests.shared.contract.conftest import MASTER, opened
from tests.shared.toy import JAR, REFUSALS, REGISTRY, Filling, Jar, JarEvent, Jars, Labelling, NoteWritten, Smashed, context
from tests.shared.toyops import program

pytestmark = pytest.mark.stack
ROOT = Path(__file__).resolve().parents[3]
DIFFERENT = "SELECT count(*) FROM ((TABLE jars_v{0} EXCEPT TABLE jars_v{1}) UNION ALL (TABLE jars_v{1} EXCEPT TABLE jars_v{0})) d"


@asynccontextmanager
async def owner(database: Database) -> AsyncIterator[asyncpg.Connection]:
    db = await asyncpg.connect(database.owner)
    try:
        yield db
    finally:
        await db.close()


async def fill(store: Store, jar_count: int, times: int, prefix: str = "jar") -> None:
    jars: Aggregates[Jar, JarEvent] = Aggregates(JAR, store)

    async def one(n: int) -> None:
        stream = f"{prefix}_{n}"
        await jars.decide(stream, Labelling(f"label of {stream}"), context())
        for amount in range(times):
            await jars.decide(stream, Filling(amount), context())
        if n % 5 == 0:
            await jars.decide(stream, lambda _: [Smashed()], context())

    await asyncio.gather(*(one(n) for n in range(jar_count)))


async def rebuilt(database: Database, view: View | None = None, *, verify: bool = False) -> Begun:
    view = view or Jars()
    async with parts_of(database.owner, REGISTRY, MASTER, view) as parts:
        return await Rebuild(parts, view).run(verify=verify)


async def active(db: asyncpg.Connection) -> int:
    return int(await db.fetchval("SELECT version FROM es.active WHERE projection = 'jars'"))


async def test_a_rebuilt_view_is_equal_and_becomes_the_one_that_is_read_and_written(database: Database) -> None:
    async with opened(database) as store:
        await fill(store, 30, 8)
        begun = await rebuilt(database, verify=True)
        assert (begun.version, begun.active, begun.resumed) == (2, 1, False)
        async with owner(database) as db:
            assert await db.fetchval(DIFFERENT.format(1, 2)) == 0
            assert await db.fetchval("SELECT count(*) FROM jars_v2") == 30
            await Aggregates(JAR, store).decide("jar_new", Filling(7), context())
            assert await db.fetchval("SELECT count FROM jars WHERE jar_id = 'jar_new'") == 7
            assert await db.fetchval("SELECT count(*) FROM jars_v1 WHERE jar_id = 'jar_new'") == 0
            with pytest.raises(asyncpg.UniqueViolationError):  # its unique index came with it
                await db.execute("INSERT INTO jars_v2 SELECT 'twin', label, 0, NULL, 1 FROM jars_v2 WHERE label IS NOT NULL LIMIT 1")


async def test_users_keep_working_during_a_rebuild_and_nothing_of_theirs_is_missing(database: Database) -> None:
    async with opened(database) as store, opened(database) as other:
        await fill(store, 40, 10)
        writing = asyncio.gather(fill(store, 20, 25, "during"), fill(other, 20, 25, "meanwhile"))
        versions = [(await rebuilt(database, verify=True)).version]
        await writing
        versions.append((await rebuilt(database, verify=True)).version)
    assert versions == [2, 3]
    async with owner(database) as db:
        assert await db.fetchval(DIFFERENT.format(2, 3)) == 0
        assert await db.fetchval("SELECT count(*) FROM jars") == 80


async def test_a_rebuild_killed_at_the_switch_goes_on_and_comes_out_equal(database: Database) -> None:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'client'}", "FAILPOINT": "rebuild.at_switch"}
    async with opened(database) as store:
        await fill(store, 20, 5)
        dying = await asyncio.create_subprocess_exec(*program(database, "rebuild", "jars"), cwd=ROOT, env=environment)
        assert await asyncio.wait_for(dying.wait(), 30) == 137
        async with owner(database) as db:
            assert await active(db) == 1
            assert await db.fetchval("SELECT position FROM es.rebuilds") > 0
        await fill(store, 5, 5, "after")
        begun = await rebuilt(database, verify=True)
    assert (begun.version, begun.resumed) == (2, True)
    async with owner(database) as db:
        assert await active(db) == 2
        assert await db.fetchval("SELECT count(*) FROM es.rebuilds") == 0
        assert await db.fetchval(DIFFERENT.format(1, 2)) == 0


@pytest.mark.parametrize(
    ("tampering", "live", "from_the_log"),
    [
        ("UPDATE jars_v1 SET count = 999 WHERE jar_id = 'jar_3'", ",999,", ",3,"),
        ("DELETE FROM jars_v1 WHERE jar_id = 'jar_3'", None, "jar_3"),
        ("INSERT INTO jars_v1 VALUES ('jar_ghost', NULL, 1, NULL, 1)", "jar_ghost", None),
    ],
)
async def test_a_difference_forbids_the_switch_and_is_shown(
    database: Database, tampering: str, live: str | None, from_the_log: str | None
) -> None:
    async with opened(database) as store:
        await fill(store, 10, 3)
    async with owner(database) as db:
        await db.execute(tampering)
        with pytest.raises(Differs) as raised:
            await rebuilt(database, verify=True)
        assert await active(db) == 1
    [difference] = raised.value.differences
    assert difference.table == "jars"
    assert (difference.live is None) == (live is None)
    assert live is None or live in (difference.live or "")
    assert from_the_log is None or from_the_log in (difference.rebuilt or "")
    assert (await rebuilt(database)).version == 3, "the tables that differed are not gone on with"


async def test_what_was_erased_stays_erased_in_the_new_tables(database: Database) -> None:
    async with opened(database) as store:
        jars: Aggregates[Jar, JarEvent] = Aggregates(JAR, store)
        await jars.decide("jar_1", lambda _: [NoteWritten("for Ada")], context())
        await jars.decide("jar_2", lambda _: [NoteWritten("for Bea")], context())
        await jars.decide("jar_1", lambda _: [Smashed()], context(), shreds=["jar_1"])
    await rebuilt(database)
    async with owner(database) as db:
        assert [tuple(row) for row in await db.fetch("SELECT jar_id, note FROM jars ORDER BY 1")] == [("jar_1", None), ("jar_2", "for Bea")]


async def test_old_tables_stay_until_they_are_dropped_by_name(database: Database) -> None:
    await rebuilt(database)
    await rebuilt(database)
    async with owner(database) as db:
        assert await db.fetchval("SELECT count(*) FROM pg_tables WHERE tablename ~ '^jars_v'") == 3
        assert await drop_old(db, Jars()) == ["jars_v1", "jars_v2"]
        assert await drop_old(db, Jars()) == []
        assert await db.fetchval("SELECT count(*) FROM jars") == 0


async def test_one_view_is_rebuilt_by_one_process_at_a_time(database: Database) -> None:
    async with parts_of(database.owner, REGISTRY, MASTER, Jars()):
        with pytest.raises(RebuildRunning):
            await rebuilt(database)


class Counted(Jars):
    """Another shape of the view: it picks one type of event, and says so."""

    shape = 2
    wants = frozenset({"toy.Filled"})

    def __init__(self) -> None:
        self.seen: set[str] = set()

    async def apply(self, db: asyncpg.Connection, suffix: str, events: Sequence[Recorded[Any]]) -> None:
        """Note what came."""
        self.seen |= {type(recorded.event).__name__ for recorded in events}
        await super().apply(db, suffix, events)


async def test_a_view_that_says_what_it_wants_is_given_nothing_else_and_its_shape_is_recorded(database: Database) -> None:
    async with opened(database) as store:
        await fill(store, 10, 3)
    view = Counted()
    await rebuilt(database, view)
    assert view.seen == {"Filled"}
    async with owner(database) as db:
        assert await db.fetchval("SELECT shape FROM es.active") == 2


async def test_where_another_release_rebuilt_readiness_says_so_and_commands_are_refused(database: Database) -> None:
    async with open_store(StoreSettings(database.app, MASTER), [Jars()], REFUSALS, LocalWake()) as (store, pool):
        await fill(store, 1, 1)
        assert await unwritable(pool, [Jars()]) is None
        await rebuilt(database, Counted())
        assert await unwritable(pool, [Jars()]) == "jars has shape 2, unknown to this release"
        assert await unwritable(pool, [Counted()]) is None
        with pytest.raises(UnknownViewVersion):
            await Aggregates(JAR, store).decide("jar_0", Filling(1), context())


async def test_a_writer_that_dawdles_delays_the_switch_and_is_not_lost(database: Database) -> None:
    async with opened(database) as store, owner(database) as db:
        await fill(store, 5, 3)
        slow = db.transaction()
        await slow.start()
        await db.fetch("SELECT * FROM es.begin_append()")
        rebuilding = asyncio.create_task(rebuilt(database))
        await asyncio.sleep(1.0)
        assert not rebuilding.done()
        await asyncio.wait_for(fill(store, 2, 3, "unhindered"), 10)
        await slow.rollback()
        assert (await asyncio.wait_for(rebuilding, 20)).version == 2
        assert await db.fetchval(DIFFERENT.format(1, 2)) == 0
