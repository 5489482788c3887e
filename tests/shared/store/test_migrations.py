"""Migrations: twice is once, two at once are one, a killed one leaves nothing of its file, an edited one is refused."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from shared.store.aggregates import Aggregates
from shared.store.migrations import STORE_FOLDER, MigrationChanged, RebuildNeeded, migrate
from stack.databases import Database
from tests.shared.contract.conftest import opened
from tests.shared.toy import JAR, NO_MIGRATIONS, Filling, Jars, context

Fresh = Callable[[str], Database]
pytestmark = pytest.mark.stack

FIRST = "CREATE TABLE shelves (id int PRIMARY KEY); GRANT SELECT ON shelves TO {read};"
SECOND = "INSERT INTO shelves VALUES (1); SELECT pg_sleep(0.4); INSERT INTO shelves VALUES (2); SELECT pg_sleep(0.4);"
EVERYTHING = len(list(STORE_FOLDER.glob("*.sql"))) + len((FIRST, SECOND)) + len(["the view"])  # what a first run says that it did


def folder(path: Path, *files: str) -> Path:
    made = path / "toy" / "migrations"
    made.mkdir(parents=True, exist_ok=True)
    for number, text in enumerate(files, 1):
        (made / f"{number:04}_step.sql").write_text(text)
    return made


async def tables(database: Database) -> list[int]:
    owner = await asyncpg.connect(database.owner)
    try:
        return [row["id"] for row in await owner.fetch("SELECT id FROM shelves ORDER BY id")]
    finally:
        await owner.close()


async def test_a_second_run_has_nothing_to_do(fresh_database: Fresh, tmp_path: Path) -> None:
    made = fresh_database("toy")
    steps = folder(tmp_path, FIRST, SECOND)
    assert len(await migrate(made.owner, steps, [Jars()])) == EVERYTHING
    assert await migrate(made.owner, steps, [Jars()]) == []


async def test_two_at_once_do_it_once(fresh_database: Fresh, tmp_path: Path) -> None:
    made = fresh_database("toy")
    steps = folder(tmp_path, FIRST, SECOND)
    done = await asyncio.gather(migrate(made.owner, steps, [Jars()]), migrate(made.owner, steps, [Jars()]))
    assert sorted(len(lines) for lines in done) == [0, EVERYTHING]
    assert await tables(made) == [1, 2]


@pytest.mark.parametrize("after", [0.1, 0.55, 0.95])
async def test_one_that_is_killed_at_any_statement_can_be_run_again(fresh_database: Fresh, tmp_path: Path, after: float) -> None:
    made = fresh_database("toy")
    await migrate(made.owner, folder(tmp_path, FIRST), [Jars()])
    steps = folder(tmp_path, FIRST, SECOND)
    running = asyncio.create_task(migrate(made.owner, steps, [Jars()]))
    await asyncio.sleep(after)
    owner = await asyncpg.connect(made.owner)
    await owner.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND usename = current_user "
        "AND pid <> pg_backend_pid()"
    )
    await owner.close()
    await asyncio.gather(running, return_exceptions=True)
    assert await tables(made) in ([], [1, 2])
    await migrate(made.owner, steps, [Jars()])
    assert await tables(made) == [1, 2]


async def test_an_edited_file_is_refused(fresh_database: Fresh, tmp_path: Path) -> None:
    made = fresh_database("toy")
    await migrate(made.owner, folder(tmp_path, FIRST), [Jars()])
    with pytest.raises(MigrationChanged):
        await migrate(made.owner, folder(tmp_path, FIRST + " "), [Jars()])


async def test_a_view_that_comes_after_events_must_be_rebuilt(fresh_database: Fresh) -> None:
    made = fresh_database("toy")
    await migrate(made.owner, NO_MIGRATIONS, [Jars()])
    async with opened(made) as store:
        await Aggregates(JAR, store).decide("jar_1", Filling(1), context())

    class Other(Jars):
        name = "others"
        names = ("others",)

    with pytest.raises(RebuildNeeded, match="others"):
        await migrate(made.owner, NO_MIGRATIONS, [Jars(), Other()])


async def test_a_view_that_grows_on_events_that_the_log_does_not_have_is_made_empty(fresh_database: Fresh) -> None:
    made = fresh_database("toy")
    await migrate(made.owner, NO_MIGRATIONS, [Jars()])
    async with opened(made) as store:
        await Aggregates(JAR, store).decide("jar_1", Filling(1), context())

    class Labels(Jars):
        name = "labels"
        names = ("labels",)
        grows_on = frozenset({"toy.Labelled"})

        def tables(self, suffix: str) -> str:
            return f"CREATE TABLE labels{suffix} (label text)"

        def indexes(self, suffix: str) -> str:
            return f"ANALYZE labels{suffix}"

    class Fillings(Labels):
        name = "fillings"
        names = ("fillings",)
        grows_on = frozenset({"toy.Labelled", "toy.Filled"})

    done = await migrate(made.owner, NO_MIGRATIONS, [Jars(), Labels()])
    assert done == ["made labels version 1"]
    with pytest.raises(RebuildNeeded, match="fillings"):
        await migrate(made.owner, NO_MIGRATIONS, [Jars(), Labels(), Fillings()])
