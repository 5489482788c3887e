"""S52: what registry and identity say over Kafka turns rings off and on again, in whatever order it arrives."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import pytest
from aiokafka import AIOKafkaProducer
from latchkey.envelope import encode
from latchkey.events import PublicEvent
from latchkey.events.identity import AccountErased
from latchkey.events.registry import (
    AppArchived,
    AppDisabled,
    AppEnabled,
    AppRegistered,
    AppRestored,
    ServiceSubscribed,
    ServiceUnsubscribed,
)
from latchkey.partitioning import partition_of
from latchkey.topics import BY_NAME

from services.keys.commands import KeyCommands
from services.keys.settings import Settings
from services.keys.wiring import LISTENS_TO, build_core, listeners
from shared.ids import derived_id, new_id
from stack.testing import RealStack
from tests.keys.conftest import Running, serving
from tests.shared.until import until
from tests.tokens import person

pytestmark = pytest.mark.stack
PRODUCT = "latchkey-pay"


@dataclass
class Outside:
    """Registry and identity, as far as Kafka can tell."""

    producer: AIOKafkaProducer
    suffix: str
    versions: dict[str, int] = field(default_factory=dict)

    async def says(self, stream_id: str, event: PublicEvent) -> int:
        """Publish the stream's next event, and return its version."""
        version = self.versions[stream_id] = self.versions.get(stream_id, 0) + 1
        value = encode(
            event, source="/test", stream_id=stream_id, streamversion=version, time=datetime.now(UTC), tenant="acc_1", correlation_id="c",
            causation_id=None, traceparent=None,
        )  # fmt: skip
        await self.producer.send_and_wait(event.topic + self.suffix, value, key=stream_id.encode())
        return version


@pytest.fixture
async def outside(stack: RealStack) -> AsyncIterator[Outside]:
    """Topics of this test's own, and a producer."""
    suffix = "." + new_id("t")
    stack.make_topics(*(replace(BY_NAME[name], name=name + suffix, partitions=2) for name in LISTENS_TO))
    producer = AIOKafkaProducer(bootstrap_servers=stack.bootstrap)
    await producer.start()
    yield Outside(producer, suffix)
    await producer.stop()


@asynccontextmanager
async def listening(settings: Settings, outside: Outside) -> AsyncIterator[None]:
    """The part of the worker that hears of others."""
    async with build_core(settings) as core:
        commands = KeyCommands(core.keyrings, core.whereabouts, core.clock.now)
        parts = listeners(core, commands, settings.kafka_bootstrap, [name + outside.suffix for name in LISTENS_TO])
        running: list[asyncio.Future[None]] = [asyncio.ensure_future(part.run()) for part in parts]
        yield
        await asyncio.gather(*(part.stop() for part in parts))
        await asyncio.gather(*running)


@pytest.fixture
async def heard(settings: Settings, outside: Outside) -> AsyncIterator[Running]:
    """The service, listening, with nothing known to it yet."""
    async with serving(settings, known=False) as keys, listening(settings, outside):
        yield keys


def _app(keys: Running) -> AppRegistered:
    return AppRegistered(
        app_id=keys.app_id,
        owner_id=keys.owner,
        product_id=PRODUCT,
        name="Shop",
        country="DE",
        status="active",
        registered_at=datetime.now(UTC),
    )


def _subscription(keys: Running) -> tuple[str, ServiceSubscribed, ServiceUnsubscribed]:
    stream = derived_id("sub", keys.owner, PRODUCT)
    values = {"subscription_id": stream, "account_id": keys.owner, "product_id": PRODUCT}
    return stream, ServiceSubscribed(**values), ServiceUnsubscribed(**values)


async def _registered(keys: Running, outside: Outside) -> None:
    stream, subscribed, _ = _subscription(keys)
    await outside.says(stream, subscribed)
    await outside.says(keys.app_id, _app(keys))


Say = Callable[[Running, Outside], Awaitable[object]]


def _say(event: type[AppDisabled | AppEnabled | AppArchived]) -> Say:
    return lambda keys, outside: outside.says(keys.app_id, event(app_id=keys.app_id, owner_id=keys.owner))


def _restored(keys: Running, outside: Outside) -> Awaitable[object]:
    return outside.says(keys.app_id, AppRestored(app_id=keys.app_id, owner_id=keys.owner, status="active"))


def _unsubscribed(keys: Running, outside: Outside) -> Awaitable[object]:
    stream, _, unsubscribed = _subscription(keys)
    return outside.says(stream, unsubscribed)


def _subscribed(keys: Running, outside: Outside) -> Awaitable[object]:
    stream, subscribed, _ = _subscription(keys)
    return outside.says(stream, subscribed)


@pytest.mark.parametrize(
    ("off", "on"), [(_say(AppDisabled), _say(AppEnabled)), (_say(AppArchived), _restored), (_unsubscribed, _subscribed)],
    ids=["disabled", "archived", "unsubscribed"],
)  # fmt: skip
async def test_keys_are_turned_off_and_on_again(heard: Running, outside: Outside, off: Say, on: Say) -> None:
    """S52."""
    await _registered(heard, outside)
    made = await heard.generate()
    await heard.becomes(made["secret_key"], "VALID")
    await off(heard, outside)
    await heard.becomes(made["secret_key"], "APP_DISABLED", 10)
    live = await heard.generate("live")
    assert await heard.code(live["public_key"]) == "APP_DISABLED"
    await on(heard, outside)
    await heard.becomes(made["secret_key"], "VALID", 10)
    await heard.becomes(live["public_key"], "VALID", 10)


async def test_a_reaction_that_cannot_be_written_now_is_written_later(heard: Running, outside: Outside) -> None:
    """I7 and I12: were it put aside, the keys of a disabled app would go on working until somebody looked."""
    await _registered(heard, outside)
    made = await heard.generate()
    await heard.becomes(made["secret_key"], "VALID")
    async with heard.db.transaction():
        await heard.db.execute("LOCK TABLE keyrings_v1 IN SHARE MODE")  # longer than an append may take, however often it is tried
        await _say(AppDisabled)(heard, outside)
        await asyncio.sleep(4)
    await heard.becomes(made["secret_key"], "APP_DISABLED", 20)
    assert await heard.db.fetchval("SELECT count(*) FROM latchkey.parked WHERE stream_id = $1", heard.app_id) == 0


async def test_an_app_that_no_view_takes_does_not_hold_up_the_others(heard: Running, outside: Outside) -> None:
    """Its reaction looks into the view: it is put aside with it, where waiting would leave disabled apps of its partition working."""
    await _registered(heard, outside)
    made = await heard.generate()
    await heard.becomes(made["secret_key"], "VALID")
    poison = next(name for name in (new_id("app") for _ in range(100)) if partition_of(name, 2) == partition_of(heard.app_id, 2))
    await heard.db.execute(f"ALTER TABLE apps ADD CONSTRAINT refused CHECK (app_id <> '{poison}')")
    await outside.says(poison, _app(heard).model_copy(update={"app_id": poison}))
    await _say(AppDisabled)(heard, outside)
    await heard.becomes(made["secret_key"], "APP_DISABLED", 30)
    aside = await heard.db.fetch("SELECT projection, error FROM latchkey.parked WHERE stream_id = $1 ORDER BY projection", poison)
    assert [row["projection"] for row in aside] == ["foreign", "reactions"]
    assert "try that again first" in aside[1]["error"]


async def test_one_reason_gone_is_not_enough(heard: Running, outside: Outside) -> None:
    await _registered(heard, outside)
    made = await heard.generate()
    await _say(AppDisabled)(heard, outside)
    await _say(AppArchived)(heard, outside)
    await _restored(heard, outside)

    async def only_disabled() -> bool:
        shown = (await heard.http.get(f"{heard.path}/{made['pair_id']}", headers=heard.me)).json()
        return bool(shown["suspensions"] == ["app_disabled"] and shown["version"] >= 6)

    await until(only_disabled)
    await heard.becomes(made["secret_key"], "APP_DISABLED")


async def test_a_subscription_that_is_heard_of_after_the_app(heard: Running, outside: Outside) -> None:
    await outside.says(heard.app_id, _app(heard))
    made = await heard.generate()
    await heard.becomes(made["secret_key"], "APP_DISABLED", 10)
    await _subscribed(heard, outside)
    await heard.becomes(made["secret_key"], "VALID", 10)


async def test_an_event_position_is_waited_for(heard: Running, outside: Outside) -> None:
    await _registered(heard, outside)
    made = await heard.generate()
    version = await outside.says(heard.app_id, AppDisabled(app_id=heard.app_id, owner_id=heard.owner))
    headers = heard.me | {"Event-Position": f"registry/{heard.app_id}/{version}"}
    shown = await heard.http.get(f"{heard.path}/{made['pair_id']}", headers=headers)
    assert shown.json()["suspensions"] == ["app_disabled"]


async def test_an_erased_accounts_pairs_are_revoked_for_ever(heard: Running, outside: Outside) -> None:
    await _registered(heard, outside)
    made = await heard.generate()
    await outside.says(heard.owner, AccountErased(account_id=heard.owner))
    await heard.becomes(made["secret_key"], "REVOKED", 10)
    refused = await heard.http.post(heard.path, json={"environment": "live"}, headers=person(heard.owner))
    assert (refused.status_code, refused.json()["code"]) == (410, "keys.account_erased")


async def test_an_app_that_is_heard_of_after_its_account_was_erased(heard: Running, outside: Outside) -> None:
    await outside.says(heard.owner, AccountErased(account_id=heard.owner))
    await outside.says(heard.app_id, _app(heard))

    async def erased() -> bool:
        refused = await heard.http.post(heard.path, json={"environment": "live"}, headers=heard.me)
        return refused.status_code == 410

    await until(erased)
