"""The public contract on the real topics: every record of a full journey is what its schema, CloudEvents and the official kit say it is."""

import asyncio
import hashlib
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import jsonschema_rs
import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from cloudevents.core.bindings.kafka import KafkaMessage, from_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from latchkey.beats import BEAT_KEY
from latchkey.envelope import decode
from latchkey.events import EVENTS
from latchkey.partitioning import partition_of
from latchkey.rings import decode_ring
from latchkey.states import decode_state
from latchkey.topics import BY_NAME, KEYS_VERIFIER_STATE, TOPICS

from tests.people import Developer, transaction
from tests.product import Product
from tests.registry.images import picture
from tests.registry.nameserver import serving

pytestmark = pytest.mark.stack
CONTRACTS = Path(__file__).parents[2] / "contracts"
OFFICIAL = Path(__file__).parents[1] / "client" / "official" / "cloudevents-1.0.json"


def schema(name: str) -> Any:
    return jsonschema_rs.validator_for(json.loads((CONTRACTS / "schemas" / name).read_text("utf-8")), validate_formats=True)


async def everything(developer: Developer, dns_port: int) -> None:
    """A whole life: an app and its keys through every state, transactions, a sign-out, and the end of the account."""
    app = await developer.add_app()
    of_app, of_keys = f"/v1/apps/{app['app_id']}", f"/v1/apps/{app['app_id']}/keys"
    logo = {"content": picture(), "headers": {"Content-Type": "image/png"}}
    await done(developer, "PUT", "registry", f"{of_app}/logo", **logo)
    etag = (await done(developer, "GET", "registry", of_app)).headers["ETag"]
    await done(developer, "PATCH", "registry", of_app, json={"name": "Renamed"}, headers={"If-Match": etag})
    await proven(developer, f"{of_app}/domains", dns_port)
    pair = await developer.generate(app["app_id"])
    assert (await developer.record(pair["secret_key"], transaction(1, status="pending"))).status_code == 201
    changed = f"{developer.product.at['metrics']}/v1/transactions/{transaction(1)['transaction_id']}"
    assert (await developer.http.patch(changed, auth=(pair["secret_key"], ""), json={"status": "succeeded"})).status_code == 200
    for command in ("disable", "enable", "archive", "restore"):
        await done(developer, "POST", "registry", f"{of_app}/{command}")
    for command in ("disable", "enable"):
        await done(developer, "POST", "keys", f"{of_keys}/{pair['pair_id']}/{command}")
    following = await regenerated(developer, f"{of_keys}/{pair['pair_id']}")
    await regenerated(developer, f"{of_keys}/{following['pair_id']}", overlap_seconds=60)
    await done(developer, "POST", "keys", f"{of_keys}/{following['pair_id']}/rotation/rollback")
    soon = {"environment": "test", "expires_at": (datetime.now(UTC) + timedelta(seconds=2)).isoformat()}
    await done(developer, "POST", "keys", of_keys, json=soon)
    await asyncio.sleep(3)
    await done(developer, "POST", "keys", f"{of_keys}/{following['pair_id']}/revoke", json={"reason": "leaked"})
    [subscription] = (await done(developer, "GET", "registry", "/v1/subscriptions")).json()["items"]
    await done(developer, "DELETE", "registry", f"/v1/subscriptions/{subscription['subscription_id']}")
    await done(developer, "DELETE", "identity", "/v1/sessions")
    assert (await developer.sign_in()).status_code == 201
    etag = (await done(developer, "GET", "identity", "/v1/account")).headers["ETag"]
    await done(developer, "DELETE", "identity", "/v1/account", headers={"If-Match": etag})


async def proven(developer: Developer, of_domains: str, dns_port: int) -> None:
    """A domain that is added, shown to be the developer's by its TXT record, and taken away again."""
    wanted = (await done(developer, "POST", "registry", of_domains, json={"domain": "shop.example"})).json()["record"]
    async with serving(dns_port) as nameserver:
        nameserver.texts[wanted["name"]] = [wanted["value"]]
        await done(developer, "POST", "registry", f"{of_domains}/shop.example/verify")
    await done(developer, "DELETE", "registry", f"{of_domains}/shop.example")


async def regenerated(developer: Developer, of_pair: str, *, overlap_seconds: int = 1) -> dict[str, Any]:
    """The pair that follows. What registry said of the app may reach the ring between the look and the press: then look again."""
    for _ in range(20):
        etag = (await done(developer, "GET", "keys", of_pair)).headers["ETag"]
        press = {"json": {"overlap_seconds": overlap_seconds}, "headers": {"If-Match": etag}}
        answer = await developer.call("POST", "keys", f"{of_pair}/regenerate", **press)
        if answer.status_code != 412:
            break
    assert answer.status_code == 201, answer.text
    following: dict[str, Any] = answer.json()
    return following


async def done(developer: Developer, method: str, service: str, path: str, **rest: Any) -> httpx2.Response:
    answer = await developer.call(method, service, path, **rest)
    assert answer.is_success, (method, path, answer.text)
    return answer


async def records(bootstrap: str) -> list[ConsumerRecord]:
    """Every record of every topic, up to the ends as they are now."""
    names = [topic.name for topic in TOPICS]
    consumer = AIOKafkaConsumer(*names, bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    found: list[ConsumerRecord] = []
    try:
        ends = await consumer.end_offsets(list(consumer.assignment()))
        while any([await consumer.position(part) < end for part, end in ends.items()]):
            found += [record for part in (await consumer.getmany(timeout_ms=500)).values() for record in part]
    finally:
        await consumer.stop()
    return found


async def test_every_record_of_a_full_journey_keeps_the_contract(product: Product, developer: Developer) -> None:
    await everything(developer, product.dns_port)
    for _ in range(100):
        seen = await records(product.stack.bootstrap)
        events = [record for record in seen if not BY_NAME[record.topic].compacted]
        types = {decode(record.value).type for record in events}
        if types >= set(EVENTS):
            break
        await asyncio.sleep(0.2)
    assert set(EVENTS) - types == set()
    official = jsonschema_rs.validator_for(json.loads(OFFICIAL.read_text("utf-8")), validate_formats=True)
    envelope, data = schema("envelope.v1.json"), {name: schema(f"{name}.json") for name in EVENTS}
    bytes_of: dict[str, bytes] = {}
    for record in events:
        document = json.loads(record.value)
        assert [str(error) for check in (official, envelope) for error in check.iter_errors(document)] == []
        assert [str(error) for error in data[document["type"]].iter_errors(document["data"])] == [], document["type"]
        assert_as_the_official_kit_reads_it(record, document)
        assert bytes_of.setdefault(document["id"], hashlib.sha256(record.value).digest()) == hashlib.sha256(record.value).digest()
    for record in seen:
        assert (
            record.partition == partition_of(record.key.decode(), BY_NAME[record.topic].partitions) or record.topic == KEYS_VERIFIER_STATE
        )


def assert_as_the_official_kit_reads_it(record: ConsumerRecord, document: dict[str, Any]) -> None:
    """The SDK's own Kafka binding gets the same event out of the record that we put into it."""
    read = from_structured(KafkaMessage(dict(record.headers), record.key, record.value), JSONFormat(), CloudEvent)
    ours = decode(record.value)
    assert (read.get_id(), read.get_source(), read.get_type(), read.get_subject()) == (ours.id, ours.source, ours.type, ours.subject)
    assert (read.get_time(), read.get_data()) == (ours.time, ours.payload)
    assert read.get_extension("streamversion") == ours.streamversion
    assert read.get_extension("globalposition") == str(ours.globalposition)
    assert read.get_dataschema() == f"urn:latchkey:schema:{ours.type}"
    assert record.key.decode() == read.get_extension("partitionkey") == document["subject"]
    headers = {name: value.decode() for name, value in record.headers}
    assert headers["content-type"] == "application/cloudevents+json"
    assert (headers["ce_type"], headers["ce_id"]) == (ours.type, ours.id)


async def test_states_are_whole_and_end_with_a_tombstone(product: Product, developer: Developer) -> None:
    kept, gone = await developer.add_app(), Developer(product, developer.http)
    _, _ = await gone.everything()
    [erased] = (await done(gone, "GET", "registry", "/v1/apps")).json()["items"]
    etag = (await done(gone, "GET", "identity", "/v1/account")).headers["ETag"]
    await done(gone, "DELETE", "identity", "/v1/account", headers={"If-Match": etag})
    for _ in range(100):
        latest = {(record.topic, record.key): record.value for record in await records(product.stack.bootstrap)}
        if latest.get(("registry.app.state.v1", erased["app_id"].encode()), b"") is None:
            break
        await asyncio.sleep(0.2)
    assert latest["registry.app.state.v1", erased["app_id"].encode()] is None
    state = decode_state(latest["registry.app.state.v1", kept["app_id"].encode()])
    assert state is not None
    assert (state.stream_id, state.streamversion, state.data["name"]) == (kept["app_id"], 1, kept["name"])
    assert decode_state(latest["identity.erasure.state.v1", gone.account_id.encode()]) is not None
    for (topic, key), value in latest.items():
        if topic == KEYS_VERIFIER_STATE and key != BEAT_KEY:
            decode_ring(value)
        elif BY_NAME[topic].compacted and key != BEAT_KEY:
            assert value is None or decode_state(value) is not None
