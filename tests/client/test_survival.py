"""What every consumer has to live through, tried on the consumer, on the listener, and on the two examples of other teams."""

import asyncio
import uuid
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from latchkey.consumer import Consumer, install
from latchkey.envelope import Envelope
from latchkey.events.registry import AppRegistered
from latchkey.listening import Listener

from stack.testing import RealStack
from tests.client.conftest import QUICK
from tests.client.publisher import Publisher, envelope
from tests.client.strangers import AUDIT, BILLING, built, program
from tests.shared.until import until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(400)]
PATIENCE = 90.0


def registered(app: str, version: int = 1, **changed: Any) -> bytes:
    data = {
        "app_id": app, "owner_id": "acc_1", "product_id": "pay", "name": "Shop", "country": "DE", "status": "active",
        "registered_at": "2026-11-23T12:00:00Z",
    }  # fmt: skip
    told = {"type": "registry.AppRegistered.v1", "data": data | changed.pop("data", {})}
    return envelope(app, version, **(told | changed))


class Subject(ABC):
    """A consumer under test. `once` says whether an event may be heard twice when its record comes twice."""

    once = True

    def __init__(self, stack: RealStack, topic: str, folder: Path) -> None:
        self.stack, self.topic, self.folder = stack, topic, folder

    @asynccontextmanager
    async def prepared(self) -> AsyncIterator[None]:
        """What outlives its members."""
        yield

    @abstractmethod
    def member(self) -> Any:
        """One member of its group, as an async context manager."""

    @abstractmethod
    async def heard(self) -> Counter[str]:
        """How often the registration of each app took effect."""


class Tables(Subject):
    """One with a database of its own."""

    @asynccontextmanager
    async def prepared(self) -> AsyncIterator[None]:
        made = self.stack.fresh_database("survival")
        self.address = made.owner
        async with asyncpg.create_pool(made.owner, min_size=1, max_size=8) as self.pool:
            yield
        self.stack.drop(made)


class TheConsumer(Tables):
    async def apply(self, db: asyncpg.Connection, events: Sequence[Envelope]) -> None:
        """See Handler."""
        rows = [(event.subject,) for event in events if isinstance(event.data, AppRegistered)]
        await db.executemany("INSERT INTO heard VALUES ($1)", rows)

    @asynccontextmanager
    async def member(self) -> AsyncIterator[None]:
        db = await asyncpg.connect(self.address)
        await install(db)
        await db.execute("CREATE TABLE IF NOT EXISTS heard (app text)")
        await db.close()
        consumer = Consumer(self.stack.kafka.bootstrap, self.pool, self, [self.topic], self.topic, name="heard", policy=QUICK)
        running = asyncio.create_task(consumer.run())
        try:
            yield
        finally:
            await consumer.stop()
            await running

    async def heard(self) -> Counter[str]:
        return Counter(row[0] for row in await self.pool.fetch("SELECT app FROM heard"))


class TheListener(Subject):
    once = False

    def __init__(self, stack: RealStack, topic: str, folder: Path) -> None:
        super().__init__(stack, topic, folder)
        self.apps = Counter[str]()

    async def hear(self, event: Envelope) -> None:
        if isinstance(event.data, AppRegistered):
            self.apps[event.subject] += 1

    @asynccontextmanager
    async def member(self) -> AsyncIterator[None]:
        listener = Listener(self.stack.kafka.bootstrap, [self.topic], self.topic, self.hear, policy=QUICK)
        running = asyncio.create_task(listener.run())
        try:
            yield
        finally:
            await listener.stop()
            await running

    async def heard(self) -> Counter[str]:
        return self.apps


class TheBilling(Tables):
    def member(self) -> Any:
        return program(*BILLING, DATABASE_URL=self.address, KAFKA=self.stack.kafka.bootstrap, TOPICS=self.topic, GROUP=self.topic)

    async def heard(self) -> Counter[str]:
        if await self.pool.fetchval("SELECT to_regclass('customers')") is None:
            return Counter()
        # The key of the table lets none be there twice: an event that took effect again would have been put aside.
        again = await self.pool.fetchval("SELECT count(*) FROM latchkey.parked WHERE reason = 'failed'")
        return Counter([row[0] for row in await self.pool.fetch("SELECT app_id FROM customers")] + ["failed"] * again)


class TheAudit(Subject):
    @asynccontextmanager
    async def prepared(self) -> AsyncIterator[None]:
        self.program, self.outputs = await asyncio.to_thread(built, AUDIT, self.folder), list[Any]()
        yield

    @asynccontextmanager
    async def member(self) -> AsyncIterator[None]:
        async with program(self.program, KAFKA=self.stack.kafka.bootstrap, TOPICS=self.topic, GROUP=self.topic) as output:
            self.outputs.append(output)
            yield

    async def heard(self) -> Counter[str]:
        return Counter(line.split()[1] for output in self.outputs for line in output.lines if line.startswith("AppRegistered "))


Fault = Callable[[Publisher, str], Awaitable[None]]


async def duplicates(publisher: Publisher, app: str) -> None:
    for _ in range(100):
        await publisher.send_raw(app, registered(app))


async def unknown_type(publisher: Publisher, app: str) -> None:
    await publisher.send_raw(app, registered(app))
    await publisher.send_raw(app, envelope(app, 2, type="registry.AppPainted.v1", data={"colour": "red"}))


async def unknown_field(publisher: Publisher, app: str) -> None:
    await publisher.send_raw(app, registered(app, data={"colour": {"deep": [1]}}, colour="red"))


async def unknown_major_version(publisher: Publisher, app: str) -> None:
    await publisher.send_raw(app, registered(app))
    await publisher.send_raw(app, registered(app, 2, type="registry.AppRegistered.v9"))


async def poison(publisher: Publisher, app: str) -> None:
    for raw in (b"{not json", b"", b"[]", b"\xff\xfe", registered(app, 0), registered(app, data={"app_id": 7}), b"[" * 100_000):
        await publisher.send_raw(app, raw)
    await publisher.send_raw(app, registered(app))


async def five_megabytes(publisher: Publisher, app: str) -> None:
    await publisher.send_raw(app, b'"' + b"x" * 5_000_000 + b'"')
    await publisher.send_raw(app, registered(app))


async def tombstone(publisher: Publisher, app: str) -> None:
    await publisher.send_raw(app, None)
    await publisher.send_raw(app, registered(app))


async def erased_account(publisher: Publisher, app: str) -> None:
    await publisher.send_raw(app, registered(app))
    await publisher.send_raw(app, envelope(app, 2, type="registry.AppErased.v1", data={"app_id": app, "owner_id": "acc_1"}))


FAULTS: Sequence[Fault] = (
    duplicates, unknown_type, unknown_field, unknown_major_version, poison, five_megabytes, tombstone, erased_account,
)  # fmt: skip


@pytest.fixture(params=[TheConsumer, TheListener, TheBilling, TheAudit])
async def subject(request: pytest.FixtureRequest, stack: RealStack, tmp_path: Path) -> AsyncIterator[Subject]:
    made: Subject = request.param(stack, f"test.{uuid.uuid4().hex}", tmp_path)
    async with made.prepared():
        yield made


@pytest.fixture
async def publisher(subject: Subject) -> AsyncIterator[Publisher]:
    made = Publisher(subject.stack.kafka.bootstrap, subject.topic)
    await made.start()
    yield made
    await made.stop()


async def heard(subject: Subject, *apps: str) -> None:
    """Wait until each of them was heard, and see that none was heard twice where that must not be."""

    async def there() -> bool:
        return set(apps) <= set(await subject.heard())

    await until(there, PATIENCE)
    if subject.once:
        assert {app: count for app, count in (await subject.heard()).items() if count != 1} == {}


async def test_nothing_that_comes_over_the_topic_stops_or_doubles_it(subject: Subject, publisher: Publisher) -> None:
    everything: list[str] = []
    async with subject.member():
        for fault in FAULTS:
            app, behind = f"app_{fault.__name__}", [f"app_behind_{fault.__name__}_{number}" for number in range(4)]
            await fault(publisher, app)
            for each in behind:  # so that both partitions are seen to go on
                await publisher.send_raw(each, registered(each))
            everything += [app, *behind]
            await heard(subject, *everything)
        # A full replay, reordered across keys.
        for app in sorted(everything, key=lambda app: app[::-1]):
            await publisher.send_raw(app, registered(app))
        await publisher.send_raw("app_last", registered("app_last"))
        await heard(subject, *everything, "app_last")
    if isinstance(subject, TheBilling):
        assert await subject.pool.fetchval("SELECT name FROM customers WHERE app_id = 'app_erased_account'") is None
        assert await subject.pool.fetchval("SELECT count(*) FROM customers WHERE name IS NULL") == 1


async def test_a_storm_of_rebalances_loses_nothing(subject: Subject, publisher: Publisher) -> None:
    apps = [f"app_{number}" for number in range(120)]

    async def sending() -> None:
        for app in apps:
            await publisher.send_raw(app, registered(app))
            await asyncio.sleep(0.05)

    async with subject.member():
        sent = asyncio.create_task(sending())
        while not sent.done():
            async with AsyncExitStack() as others:
                for _ in range(2):
                    await others.enter_async_context(subject.member())
                await asyncio.sleep(1.5)
        await sent

        async def all_heard() -> bool:
            return set(apps) <= set(await subject.heard())

        await until(all_heard, PATIENCE)
    if isinstance(subject, Tables):
        assert set((await subject.heard()).values()) == {1}


async def test_what_retention_took_does_not_stop_it(subject: Subject, publisher: Publisher) -> None:
    gone, left = [f"app_gone_{number}" for number in range(10)], [f"app_left_{number}" for number in range(10)]
    for app in [*gone, *left]:
        await publisher.send_raw(app, registered(app))
    await publisher.forget_before(3)
    async with subject.member():
        await publisher.send_raw("app_last", registered("app_last"))
        await heard(subject, *left[6:], "app_last")
