"""The worker's parts together on real Kafka: what strangers hear, what local verifiers answer, and where no secret is ever found."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import redis.asyncio as redis
from aiokafka import AIOKafkaConsumer, TopicPartition
from latchkey.envelope import decode
from latchkey.topics import BY_NAME, KEYS_KEYRING_EVENTS, KEYS_KEYRING_STATE, KEYS_VERIFIER_STATE
from latchkey.verifier import LocalVerifier
from prometheus_client import CollectorRegistry

from services.keys.settings import Settings
from services.keys.wiring import SERVICE, build_core
from shared.relay.gauges import Gauges
from shared.relay.heartbeat import Heartbeat
from shared.relay.relay import Relay, RelaySettings, topics_of
from stack.testing import RealStack
from tests.keys.conftest import Running
from tests.shared.until import until

pytestmark = pytest.mark.stack
TOPICS = (KEYS_KEYRING_EVENTS, KEYS_KEYRING_STATE, KEYS_VERIFIER_STATE)


@pytest.fixture
async def published(keys: Running, stack: RealStack, settings: Settings) -> AsyncIterator[Running]:
    """The service with its relay, on empty topics, because a relay refuses a topic that holds another log's events."""
    stack.empty_topics(*(BY_NAME[name] for name in TOPICS))
    async with _relayed(settings):
        yield keys


@asynccontextmanager
async def _relayed(settings: Settings) -> AsyncIterator[None]:
    async with build_core(settings) as core:
        relay_settings = RelaySettings(
            settings.database_url,
            settings.kafka_bootstrap,
            topics_of(SERVICE),
            heartbeat=Heartbeat(KEYS_VERIFIER_STATE, settings.bound_seconds),
        )
        running = asyncio.create_task(Relay(relay_settings, core.wake, Gauges(CollectorRegistry())).run())
        yield
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def _everything(bootstrap: str, topic: str) -> list[Any]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = [TopicPartition(topic, number) for number in range(BY_NAME[topic].partitions)]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        records: list[Any] = []
        async with asyncio.timeout(10):
            while any([await consumer.position(partition) < ends[partition] for partition in partitions]):
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    records.extend(batch)
        return records
    finally:
        await consumer.stop()


async def test_strangers_hear_of_every_step_without_a_secret(published: Running, stack: RealStack) -> None:
    """S53, I5."""
    made = await published.generate()
    await published.regenerate(made)

    async def heard() -> list[str]:
        mine = [record for record in await _everything(stack.bootstrap, KEYS_KEYRING_EVENTS) if published.app_id in record.value.decode()]
        envelopes = [decode(record.value) for record in mine]
        assert [envelope.streamversion for envelope in envelopes] == list(range(1, len(envelopes) + 1))
        assert {envelope.tenant for envelope in envelopes} <= {published.owner}
        return [envelope.type for envelope in envelopes]

    names = ["KeyPairGenerated", "KeySecretRevealed", "KeyPairGenerated", "KeyRotated", "KeySecretRevealed", "KeyDisabled"]

    async def complete() -> bool:
        return await heard() == [f"keys.{name}.v1" for name in names]

    await until(complete, 20)


async def test_a_local_verifier_answers_as_the_service_does(published: Running, settings: Settings, stack: RealStack) -> None:
    """I7."""
    verifier = LocalVerifier(stack.bootstrap, bound_ms=settings.verifier_bound_ms)
    await verifier.start()
    try:
        assert await verifier.ready(20)
        made = await published.generate(scopes=["charge"])
        assert (await verifier.check_fresh(made["secret_key"], scope="charge")).code == "VALID"
        new = await published.regenerate(made)
        await published.post(new, "disable")

        async def agrees() -> bool:
            pairs = [(key, await published.code(key)) for key in (made["secret_key"], made["public_key"], new["secret_key"])]
            return [code for _, code in pairs] == [verifier.check(key).code for key, _ in pairs] == ["ROTATED", "ROTATED", "DISABLED"]

        await until(agrees, settings.bound_seconds + 5)
    finally:
        await verifier.stop()


async def _tables(keys: Running) -> str:
    names = await keys.db.fetch(
        "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname IN ('public', 'es', 'latchkey')"
    )
    dumps = [await keys.db.fetchval(f"SELECT coalesce(string_agg(t::text, E'\\n'), '') FROM {row['name']} t") for row in names]
    public = await keys.db.fetchval("SELECT coalesce(string_agg(convert_from(public, 'UTF8'), E'\\n'), '') FROM es.events")
    return "\n".join([*dumps, public])


async def _redis(url: str) -> str:
    client = redis.from_url(url)
    try:
        found = [(name, await _read(client.dump(name))) async for name in client.scan_iter()]
        return repr(found)
    finally:
        await client.aclose()


async def _read(value: Awaitable[Any]) -> Any:
    return await value


async def test_no_secret_is_found_anywhere(
    published: Running, stack: RealStack, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """S47, I10: the canary. Both public keys are found, so the search itself works."""
    caplog.set_level(logging.DEBUG)
    first = await published.generate()
    second = await published.regenerate(first, overlap_seconds=60)
    for made in (first, second):
        await published.code(made["secret_key"])
        answer = await published.http.post(
            "/v1/keys/verify", json={"key": made["public_key"]}, headers={"authorization": f"Bearer {made['secret_key']}"}
        )
        assert answer.status_code == 200
        browser = {"authorization": f"Bearer {made['secret_key']}", "origin": "https://a.example"}
        await published.http.post("/v1/keys/verify", json={"key": made["public_key"]}, headers=browser)
    await published.http.get(f"{published.path}/{first['pair_id']}?key={first['secret_key']}", headers=published.me)

    async def arrived() -> bool:
        return second["public_key"] in await _topics(stack)

    await until(arrived, 20)
    said = capsys.readouterr()
    logged = "\n".join(record.getMessage() for record in caplog.records if not record.name.startswith("httpx"))  # the tests' own client
    places = {
        "tables": await _tables(published), "topics": await _topics(stack), "redis": await _redis(stack.redis_url),
        "logs": said.out + said.err + logged,
    }  # fmt: skip
    assert all(made["public_key"] in places[place] for made in (first, second) for place in ("tables", "topics"))
    body = {made["secret_key"][11:-6] for made in (first, second)}
    assert not [(place, secret[:4]) for place, text in places.items() for secret in body if secret in text]


async def _topics(stack: RealStack) -> str:
    records = [record for topic in TOPICS for record in await _everything(stack.bootstrap, topic)]
    return json.dumps([(record.key or b"").decode() + (record.value or b"").decode() for record in records])
