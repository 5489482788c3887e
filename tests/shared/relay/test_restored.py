"""A database restored from a backup while Kafka kept newer events: nothing is published over them, and the log goes on behind them."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from latchkey.envelope import decode
from latchkey.topics import REGISTRY_APP_EVENTS

from shared.http.feed import PublicLog
from shared.ops.kit import run_ops
from stack.databases import Database
from stack.testing import RealStack
from tests.shared.contract.conftest import opened
from tests.shared.relay.harness import Running, fill, first_occurrences, published, records, relaying
from tests.shared.toy import STATE_TOPIC
from tests.shared.toyops import toolbox
from tests.shared.until import until

pytestmark = pytest.mark.stack


@dataclasses.dataclass(frozen=True)
class Backup:
    """A copy of the database as it was."""

    superuser: str
    name: str

    @staticmethod
    async def of(stack: RealStack, database: Database) -> "Backup":
        """Made while nobody is connected."""
        made = Backup(stack.superuser_dsn, database.name)
        await made._execute(f"CREATE DATABASE {made.name}_backup OWNER {made.name}_owner TEMPLATE {made.name}")
        return made

    async def restore(self) -> None:
        """The copy takes the database's place; what was written since is gone."""
        await self._execute(f"DROP DATABASE {self.name} WITH (FORCE)", f"ALTER DATABASE {self.name}_backup RENAME TO {self.name}")

    async def _execute(self, *statements: str) -> None:
        db = await asyncpg.connect(self.superuser)
        try:
            for statement in statements:
                await db.execute(statement)
        finally:
            await db.close()


@dataclasses.dataclass(frozen=True)
class Restored:
    """The database as it was, its streams' prefix, and what an operator does."""

    database: Database
    stack: RealStack
    prefix: str

    async def operate(self, *words: str) -> int:
        """An operator's command line in this process; its exit status."""
        tools = dataclasses.replace(toolbox(self.database.app, self.database.owner), service="registry", kafka=self.stack.bootstrap)
        return await asyncio.to_thread(run_ops, "registry", lambda: tools, (), words)

    async def on_kafka(self) -> dict[str, list[int]]:
        """The versions of each stream in the order of their first occurrences."""
        return first_occurrences(await records(self.stack.bootstrap, REGISTRY_APP_EVENTS, self.prefix))

    @asynccontextmanager
    async def relay(self) -> AsyncIterator[Running]:
        """A relay at work."""
        async with relaying(self.database, self.stack.bootstrap) as relay:
            yield relay

    async def everything_is_published(self) -> None:
        """Let a relay catch up."""
        async with self.relay():
            await until(lambda: published(self.database), 30)


async def write(database: Database, *streams: tuple[str, int]) -> None:
    async with opened(database) as store:
        for stream, times in streams:
            await fill(store, stream, times)


@pytest.fixture
async def restored(database: Database, stack: RealStack) -> Restored:
    """Of its events 1–3 of the stream a are in the backup; 4 and 5, and the whole stream b, only Kafka has."""
    found = Restored(database, stack, database.name)
    a, b = f"{found.prefix}_a", f"{found.prefix}_b"
    await write(database, (a, 3))
    await found.everything_is_published()
    backup = await Backup.of(stack, database)
    await write(database, (a, 2), (b, 1))
    await found.everything_is_published()
    await backup.restore()
    return found


async def test_the_relay_refuses_and_says_why(restored: Restored) -> None:
    before = await records(restored.stack.bootstrap, REGISTRY_APP_EVENTS, restored.prefix)
    await write(restored.database, (f"{restored.prefix}_c", 4))
    async with restored.relay() as relay:

        async def refused() -> bool:
            return "the database was restored from a backup" in (relay.gauges.refusal or "")

        await until(refused, 20)
        assert relay.registry.get_sample_value("relay_refusing") == 1
        await asyncio.sleep(1)
        assert relay.registry.get_sample_value("relay_events_sent_total") == 0
    assert await records(restored.stack.bootstrap, REGISTRY_APP_EVENTS, restored.prefix) == before


async def test_an_operator_sees_what_is_lost_and_a_start_is_refused(restored: Restored, capsys: pytest.CaptureFixture[str]) -> None:
    assert await restored.operate("migrate", "--compare") == 1
    assert "the database was restored from a backup" in capsys.readouterr().err
    assert await restored.operate("restored") == 1
    told = capsys.readouterr()
    assert [line.split()[3] for line in told.out.splitlines()] == [
        f"{restored.prefix}_a/4", f"{restored.prefix}_a/5", f"{restored.prefix}_b/1"
    ]  # fmt: skip
    assert "Kafka holds 3 events that the log does not" in told.err


async def test_the_streams_go_on_behind_what_was_published(restored: Restored, capsys: pytest.CaptureFixture[str]) -> None:
    assert await restored.operate("restored", "--accept") == 0
    assert "behind 3 lost events; 1 states of streams that are gone were ended" in capsys.readouterr().out
    assert await restored.operate("restored") == 0
    assert await restored.operate("migrate", "--compare") == 0
    a, b = f"{restored.prefix}_a", f"{restored.prefix}_b"
    await write(restored.database, (a, 2), (b, 1))
    await restored.everything_is_published()
    assert await restored.on_kafka() == {a: [1, 2, 3, 4, 5, 6, 7], b: [1, 2]}
    assert await _in_the_feed(restored, a) == [1, 2, 3, 4, 5, 6, 7]
    states = {record.key: record.value for record in await records(restored.stack.bootstrap, STATE_TOPIC, restored.prefix)}
    assert b'"streamversion":7' in (states[a] or b"")
    assert b'"streamversion":2' in (states[b] or b"")


async def test_a_state_of_a_stream_that_is_gone_is_ended(restored: Restored) -> None:
    await restored.operate("restored", "--accept")
    states = {record.key: record.value for record in await records(restored.stack.bootstrap, STATE_TOPIC, restored.prefix)}
    assert states[f"{restored.prefix}_b"] is None
    assert states[f"{restored.prefix}_a"] is not None


async def test_what_was_written_before_anybody_looked_cannot_be_accepted(restored: Restored, capsys: pytest.CaptureFixture[str]) -> None:
    await write(restored.database, (f"{restored.prefix}_b", 1))
    assert await restored.operate("restored", "--accept") == 1
    assert "under numbers that were given before" in capsys.readouterr().err


async def test_another_log_on_the_same_topics_says_nothing(restored: Restored, database: Database) -> None:
    """A database made anew has another name, and all that Kafka holds is somebody else's."""
    db = await asyncpg.connect(database.owner)
    try:
        await db.execute("UPDATE es.log SET id = gen_random_uuid()")
    finally:
        await db.close()
    assert await restored.operate("migrate", "--compare") == 0
    await restored.everything_is_published()


async def _in_the_feed(restored: Restored, stream: str) -> list[int]:
    """Its versions there; each event in the bytes that Kafka holds."""
    pool = await asyncpg.create_pool(restored.database.app, min_size=1, max_size=1)
    try:
        log = PublicLog(pool)
        whole, _, _ = await log.page(0, None, 100)
        alone, _, _ = await log.page(0, stream, 100)
    finally:
        await pool.close()
    held = {record.value for record in await records(restored.stack.bootstrap, REGISTRY_APP_EVENTS, restored.prefix)}
    assert set(whole) <= held
    assert [raw for raw in whole if decode(raw).subject == stream] == list(alone)
    return [decode(raw).streamversion for raw in alone]
