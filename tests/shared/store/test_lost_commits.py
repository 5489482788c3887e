"""A connection that goes in the middle of an append: done, certainly not done, or unknown, and never a second try."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import asyncpg
import pytest

from shared.errors import OutcomeUnknown, Unavailable
from shared.store import writer as writer_module
from shared.store.aggregates import Aggregates
from shared.store.contract import DuplicateCommand
from shared.store.freeze import Loaded, freeze
from shared.store.migrations import migrate
from shared.store.postgres import StoreSettings, open_store
from shared.store.records import Done, Write
from shared.wake import LocalWake
from stack.databases import Database
from stack.testing import RealStack
from tests.faults.proxy import Proxy, proxy_to
from tests.shared.contract.conftest import MASTER
from tests.shared.toy import JAR, NO_MIGRATIONS, NOW, REFUSALS, Filled, Filling, Jar, JarEvent, Jars, Labelling, context

pytestmark = pytest.mark.stack


@asynccontextmanager
async def behind(proxy: Proxy, database: Database) -> AsyncIterator[Aggregates[Jar, JarEvent]]:
    settings = StoreSettings(proxy.url(database.app), MASTER)
    async with open_store(settings, [Jars()], REFUSALS, LocalWake()) as (store, _):
        yield Aggregates(JAR, store)


class Once:
    """Gives one verdict to the first chunk that holds `word`, and lets everything else pass."""

    def __init__(self, word: bytes, verdict: str, proxy: Proxy | None = None) -> None:
        self.word, self.verdict, self.proxy = word, verdict, proxy
        self.met = asyncio.Event()

    def __call__(self, chunk: bytes) -> str:
        if self.word not in chunk or not self.verdict:
            return "pass"
        verdict, self.verdict = self.verdict, ""
        if self.proxy:
            self.proxy.refusing = True
        self.met.set()
        return verdict


async def count(database: Database) -> int:
    async with open_store(StoreSettings(database.app, MASTER), [Jars()], REFUSALS, LocalWake()) as (store, _):
        jars: Aggregates[Jar, JarEvent] = Aggregates(JAR, store)
        return (await jars.load("jar_1")).state.count


def filled(stream: str) -> Write:
    draft = freeze(JAR, Loaded(stream, Jar()), [Filled(1)], context(), {})
    return Write(heads={stream: 0}, rows=draft.rows, recorded=draft.recorded)


async def test_a_commit_whose_answer_was_lost_is_found_to_be_done(database: Database) -> None:
    async with proxy_to(database.app) as proxy, behind(proxy, database) as jars:
        proxy.verdict = Once(b"COMMIT", "cut after")
        await jars.decide("jar_1", Filling(1), context())
    assert await count(database) == 1


async def test_a_commit_that_never_arrived_is_found_to_be_not_done(database: Database) -> None:
    async with proxy_to(database.app) as proxy, behind(proxy, database) as jars:
        proxy.verdict = Once(b"COMMIT", "cut before")
        with pytest.raises(Unavailable) as refused:
            await jars.decide("jar_1", Filling(1), context())
    assert not isinstance(refused.value, OutcomeUnknown)
    assert await count(database) == 0


@pytest.mark.parametrize("key", [None, "k1"])
@pytest.mark.parametrize("verdict", ["cut before", "cut after"])
async def test_when_nobody_can_be_asked_the_outcome_is_unknown(
    database: Database, verdict: str, key: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "_ASK_SECONDS", 0.5)
    async with proxy_to(database.app) as proxy, behind(proxy, database) as jars:
        proxy.verdict = Once(b"COMMIT", verdict, proxy)
        with pytest.raises(OutcomeUnknown):
            await jars.decide("jar_1", Filling(1), context(key))
    assert await count(database) == (1 if verdict == "cut after" else 0)


async def test_what_took_no_part_in_a_lost_commit_is_not_told_that_it_was_done(database: Database) -> None:
    async with proxy_to(database.app) as proxy, behind(proxy, database) as jars:
        await jars.decide("jar_1", Filling(1), context("k1"))
        proxy.verdict = Once(b"COMMIT", "cut after")
        done = Done((("jar_2", 1, 1),), {}, NOW)
        repeated = replace(filled("jar_2"), idempotency=context("k1").idempotency, done=done)
        results = await asyncio.gather(jars.store.append(repeated), jars.store.append(filled("jar_3")), return_exceptions=True)
        assert [type(result) for result in results] == [DuplicateCommand, type(None)]
        assert [row.row.stream_id for row in await jars.store.since({"jar_2": 0, "jar_3": 0})] == ["jar_3"]


async def test_a_transaction_id_that_a_crash_gave_to_another_is_not_taken_for_ours(breakable_stack: RealStack) -> None:
    """PostgreSQL hands an id out again when it crashed before it wrote anything of it down; then its status is another's."""
    postgres, database = breakable_stack.postgres, breakable_stack.fresh_database("toy")
    await migrate(database.owner, NO_MIGRATIONS, [Jars()])
    async with asyncpg.create_pool(postgres.dsn, min_size=1, max_size=1) as server, proxy_to(database.app) as proxy:
        await server.execute("ALTER SYSTEM SET wal_writer_delay = '10s'")  # else it writes down what nobody has committed yet
        await server.execute("SELECT pg_reload_conf()")
        async with behind(proxy, database) as jars:
            await jars.decide("jar_1", Filling(1), context())
            lost = Once(b"COMMIT", "cut before", proxy)
            proxy.verdict = lost
            write = asyncio.create_task(jars.decide("jar_1", Filling(1), context()))
            await lost.met.wait()
            await asyncio.to_thread(postgres.kill)
            await asyncio.to_thread(postgres.start)
            for _ in range(50):
                await server.execute("SELECT pg_current_xact_id()")
            proxy.refusing = False
            with pytest.raises(Unavailable):
                await write
        await server.execute("ALTER SYSTEM RESET wal_writer_delay")
    assert await count(database) == 1
    breakable_stack.drop(database)


async def test_a_connection_lost_before_commit_costs_nobody_anything(database: Database) -> None:
    async with proxy_to(database.app) as proxy, behind(proxy, database) as jars:
        proxy.verdict = Once(b"INSERT INTO es.events", "cut this")
        await asyncio.gather(*(jars.decide(f"jar_{n}", Filling(1), context()) for n in range(5)))
    assert await count(database) == 1


async def test_with_the_database_away_a_command_is_refused_and_works_again_afterwards(database: Database) -> None:
    async with proxy_to(database.app) as proxy, behind(proxy, database) as jars:
        await jars.decide("jar_1", Filling(1), context())
        proxy.refusing = True
        proxy.cut()
        with pytest.raises((Unavailable, OSError)):
            await jars.decide("jar_1", Filling(1), context())
        proxy.refusing = False
        with contextlib.suppress(OSError):
            await jars.decide("jar_1", Labelling("plums"), context())
        await jars.decide("jar_1", Filling(1), context())
    assert await count(database) == 2
