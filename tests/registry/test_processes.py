"""S53 and erasing on real parts: both processes, from a form to Kafka and from identity's word to the end of an app."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
import httpx2
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from latchkey.envelope import Envelope, decode, encode, splice
from latchkey.events import registry as public
from latchkey.events.identity import AccountErased
from latchkey.partitioning import partition_of
from latchkey.states import decode_state
from latchkey.topics import (
    BY_NAME,
    IDENTITY_ACCOUNT_EVENTS,
    REGISTRY_APP_EVENTS,
    REGISTRY_APP_STATE,
    REGISTRY_SUBSCRIPTION_EVENTS,
)

from services.registry.settings import Settings
from services.registry.wiring import MIGRATIONS, VIEWS
from shared.store.migrations import migrate
from stack.databases import Database
from stack.ports import free_ports
from stack.testing import RealStack
from tests import tokens
from tests.registry.builders import FORM
from tests.registry.images import picture
from tests.registry.processes import running
from tests.shared.until import until

pytestmark = pytest.mark.stack
TOPICS = (IDENTITY_ACCOUNT_EVENTS, REGISTRY_APP_EVENTS, REGISTRY_APP_STATE, REGISTRY_SUBSCRIPTION_EVENTS)
ACCOUNT = "acc_erased"
EXPECTED = [
    public.AppRegistered, public.AppLogoChanged, public.AppDetailsChanged, public.AppDisabled, public.AppArchived, public.AppErased,
]  # fmt: skip


@pytest.fixture
async def alone(settings: Settings, stack: RealStack, fresh_database: Callable[[str], Database]) -> Settings:
    """A database and topics that hold nothing of another test, and a free port."""
    stack.empty_topics(*(BY_NAME[name] for name in TOPICS))
    made = fresh_database("registry")
    await migrate(made.owner, MIGRATIONS, VIEWS)
    return settings.model_copy(
        update={"port": free_ports(1)[0], "database_url": made.app, "read_database_url": made.read, "owner_database_url": made.owner}
    )


async def records(stack: RealStack, topic: str) -> list[tuple[int, bytes | None]]:
    """Everything on a topic: partition and value, in the order of each partition."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=stack.bootstrap, auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    try:
        await consumer.seek_to_beginning()
        ends = await consumer.end_offsets(consumer.assignment())
        found: list[tuple[int, bytes | None]] = []
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for partition, batch in (await consumer.getmany(timeout_ms=200)).items():
                found += [(partition.partition, record.value) for record in batch]
        return found
    finally:
        await consumer.stop()


async def events(stack: RealStack, topic: str) -> list[Envelope]:
    """The public events on a topic."""
    return [decode(value) for _, value in await records(stack, topic) if value]


async def life_of_an_app(http: httpx2.AsyncClient) -> str:
    """Subscribe, register, dress up, rename, disable; answers the app's id."""
    me = tokens.person(ACCOUNT)
    assert (await http.post("/v1/subscriptions", json={"product_id": "latchkey-pay"}, headers=me)).status_code == 201
    registered = await http.post("/v1/apps", json=FORM, headers=me)
    assert registered.status_code == 201, registered.text
    path = f"/v1/apps/{registered.json()['app_id']}"
    assert (await http.put(f"{path}/logo", content=picture(), headers=me)).status_code == 200
    change = {"name": "Other", "email": "till@example.com"}
    assert (await http.patch(path, json=change, headers=me | {"if-match": '"2"'})).status_code == 200
    assert (await http.post(f"{path}/disable", headers=me)).status_code == 200
    return str(registered.json()["app_id"])


async def say_erased(stack: RealStack) -> None:
    """What identity publishes when the account is gone."""
    frozen = encode(
        AccountErased(account_id=ACCOUNT), source="/identity", stream_id=ACCOUNT, streamversion=1, time=datetime.now(UTC), tenant=ACCOUNT,
        correlation_id="req_1", causation_id=None, traceparent=None,
    )  # fmt: skip
    producer = AIOKafkaProducer(bootstrap_servers=stack.bootstrap)
    await producer.start()
    try:
        place = partition_of(ACCOUNT, BY_NAME[IDENTITY_ACCOUNT_EVENTS].partitions)
        await producer.send_and_wait(IDENTITY_ACCOUNT_EVENTS, splice(frozen, 1), key=ACCOUNT.encode(), partition=place)
    finally:
        await producer.stop()


async def test_the_life_and_end_of_an_app_is_heard_by_all(alone: Settings, stack: RealStack, tmp_path: Path) -> None:
    logs = tmp_path / "main.log", tmp_path / "worker.log"
    with tokens.served() as identity:
        told = alone.model_copy(update={"identity_url": identity})
        async with (
            running(told, "main", logs[0]),
            running(told, "worker", logs[1]),
            httpx2.AsyncClient(base_url=f"http://127.0.0.1:{told.port}", trust_env=False) as http,
        ):
            app_id = await life_of_an_app(http)
            await until(lambda: heard(stack, public.AppDisabled), 20)
            state = [decode_state(value) for _, value in await records(stack, REGISTRY_APP_STATE)][-1]
            assert state is not None
            assert (state.stream_id, state.streamversion) == (app_id, 4)
            assert (state.data["name"], state.data["status"]) == ("Other", "disabled")
            await say_erased(stack)
            await until(lambda: heard(stack, public.AppErased), 20)
            assert (await http.get(f"/v1/apps/{app_id}", headers=tokens.person(ACCOUNT))).status_code in {401, 404}
            await until(lambda: ended(stack))
    mine = await events(stack, REGISTRY_APP_EVENTS)
    assert [type(event.data) for event in mine] == EXPECTED
    assert [event.streamversion for event in mine] == list(range(1, len(EXPECTED) + 1))
    assert {(event.subject, event.tenant, event.source) for event in mine} == {(app_id, ACCOUNT, "/registry")}
    assert mine[-1].causation_id == f"{ACCOUNT}/1"
    subscriptions = [type(event.data) for event in await events(stack, REGISTRY_SUBSCRIPTION_EVENTS)]
    assert subscriptions == [public.ServiceSubscribed, public.ServiceUnsubscribed]
    await nothing_personal(stack, alone, logs)


async def heard(stack: RealStack, kind: type[object]) -> bool:
    """Whether such an event is on the topic."""
    return any(isinstance(event.data, kind) for event in await events(stack, REGISTRY_APP_EVENTS))


async def ended(stack: RealStack) -> bool:
    """Whether the last state of the app is none."""
    return (await records(stack, REGISTRY_APP_STATE))[-1][1] is None


async def nothing_personal(stack: RealStack, settings: Settings, logs: tuple[Path, Path]) -> None:
    """No contact data in a topic, a log or a table."""
    texts = [log.read_text(encoding="utf-8") for log in logs]
    for topic in TOPICS:
        texts += [value.decode() for _, value in await records(stack, topic) if value]
    db = await asyncpg.connect(settings.owner_database_url)
    try:
        tables = await db.fetch(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('es', 'public', 'latchkey')"
        )
        for (table,) in tables:
            texts += [row[0] for row in await db.fetch(f"SELECT t::text FROM {table} t")]
    finally:
        await db.close()
    for personal in ("shop@example.com", "till@example.com", "High Street", "Ardmore", "2156199900"):
        assert not any(personal in text for text in texts)
