"""Both processes on real parts: from registering over a real socket to the event on Kafka, and no secret on the way."""

import asyncio
import email
import email.policy
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest
import redis.asyncio as redis
from aiokafka import AIOKafkaConsumer
from latchkey.envelope import decode
from latchkey.states import decode_state
from latchkey.topics import BY_NAME, IDENTITY_ACCOUNT_EVENTS, IDENTITY_ERASURE_STATE

from services.identity.settings import Settings
from stack.ports import free_ports
from stack.testing import RealStack
from tests.identity.person import Identity
from tests.identity.processes import running

pytestmark = pytest.mark.stack
EMAIL, NAME, PASSWORD, NEW = (
    "canary-wilhelmina@example.com", "Canary Featherstonehaugh", "canary-horse-battery-staple-7", "canary-horse-battery-staple-8",
)  # fmt: skip


@pytest.fixture
def at_port(settings: Settings, stack: RealStack) -> Settings:
    """The settings with a free port, and topics that hold nothing of another test's log."""
    stack.empty_topics(BY_NAME[IDENTITY_ACCOUNT_EVENTS], BY_NAME[IDENTITY_ERASURE_STATE])
    return settings.model_copy(update={"port": free_ports(1)[0]})


async def mailed_code(stack: RealStack, subject: str) -> str:
    """The six digits of the mail with this subject, once it has arrived."""
    for _ in range(200):
        for file in stack.mail_directory.glob("*.eml"):
            mail = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
            body = mail.get_body()
            if mail["to"] == EMAIL and mail["subject"] == subject and body is not None:
                found = re.search(r"\b(\d{6})\b", str(body.get_content()))
                assert found
                return found[1]
        await asyncio.sleep(0.05)
    raise AssertionError(f"no mail {subject!r} arrived")


async def from_register_to_erase(http: httpx2.AsyncClient, stack: RealStack) -> tuple[str, set[str]]:
    """The whole life of an account; answers its id and every secret that came up."""
    form = {"email": EMAIL, "password": PASSWORD, "name": NAME}
    assert (await http.post("/v1/accounts", json=form)).status_code == 202
    code = await mailed_code(stack, "Your Latchkey code")
    assert (await http.post("/v1/accounts/verify", json={"email": EMAIL, "code": code})).status_code == 200
    assert (await http.post("/v1/sessions", json={"email": EMAIL, "password": "canary-wrong"})).status_code == 401
    first = (await http.post("/v1/sessions", json={"email": EMAIL, "password": PASSWORD})).json()
    second = (await http.post("/v1/sessions/refresh", json={"refresh_token": first["refresh_token"]})).json()
    bearer = {"authorization": f"Bearer {second['access_token']}"}
    change = {"current_password": PASSWORD, "new_password": NEW}
    assert (await http.post("/v1/password/change", json=change, headers=bearer)).status_code == 204
    third = (await http.post("/v1/sessions", json={"email": EMAIL, "password": NEW})).json()
    secrets = {
        PASSWORD,
        NEW,
        "canary-wrong",
        *(tokens[kind] for tokens in (first, second, third) for kind in ("access_token", "refresh_token")),
    }
    return third["access_token"], secrets


async def everything(settings: Settings) -> str:
    """Every row of every table, as text."""
    db = await asyncpg.connect(settings.owner_database_url)
    try:
        tables = await db.fetch("SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')")
        rows = [await db.fetch(f"SELECT t::text AS row FROM {table['schemaname']}.{table['tablename']} t") for table in tables]
        return "\n".join(row["row"] for table in rows for row in table)
    finally:
        await db.close()


async def published(stack: RealStack, topic: str, count: int) -> list[bytes]:
    """The first records of a topic."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=stack.bootstrap, auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    found: list[bytes] = []
    try:
        async with asyncio.timeout(20):
            while len(found) < count:
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    found += [record.value for record in records]
    finally:
        await consumer.stop()
    return found


async def test_a_life_of_an_account_reaches_kafka_and_leaves_no_secret(at_port: Settings, stack: RealStack, tmp_path: Path) -> None:
    main_log, worker_log = tmp_path / "main.log", tmp_path / "worker.log"
    async with running(at_port, "worker", worker_log), running(at_port, "main", main_log):
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{at_port.port}", trust_env=False) as http:
            token, secrets = await from_register_to_erase(http, stack)
            kept = await everything(at_port)
            assert (await http.delete("/v1/account", headers={"authorization": f"Bearer {token}"})).status_code == 204
        events = await published(stack, IDENTITY_ACCOUNT_EVENTS, 4)
        erasures = await published(stack, IDENTITY_ERASURE_STATE, 1)

    told = [decode(raw) for raw in events]
    assert [event.type.split(".")[1] for event in told] == ["AccountRegistered", "AccountVerified", "SessionsRevoked", "AccountErased"]
    assert [event.streamversion for event in told] == [1, 2, 3, 4]
    state = decode_state(erasures[0])
    assert state is not None
    assert (state.stream_id, state.streamversion) == (told[0].subject, 4)

    looking = redis.from_url(stack.redis_url, decode_responses=True)
    remembered = " ".join([f"{key!r}={await looking.get(key)!r}" for key in await looking.keys("limit:*")])
    await looking.aclose()
    logs = main_log.read_text(encoding="utf-8") + worker_log.read_text(encoding="utf-8")  # a test's own files
    topics = b"".join(events + erasures).decode()
    for secret in secrets:
        for place, text in {"tables": kept, "logs": logs, "topics": topics, "redis": remembered}.items():
            assert secret not in text, place
    for personal in (EMAIL, NAME, "Wilhelmina", "Featherstonehaugh"):
        for place, text in {"logs": logs, "topics": topics, "redis": remembered}.items():
            assert personal.casefold() not in text.casefold(), place


async def test_health_and_openapi_of_the_main_process(identity: Identity) -> None:
    assert await identity.app.health.reasons() == {}
    document: Mapping[str, Any] = (await identity.http.get("/openapi.json")).json()
    assert set(document["paths"]) == {
        "/v1/accounts", "/v1/accounts/resend", "/v1/accounts/verify", "/v1/account", "/v1/sessions", "/v1/sessions/refresh",
        "/v1/sessions/{session_id}", "/v1/password/forgot", "/v1/password/reset", "/v1/password/change", "/v1/service-tokens",
        "/.well-known/jwks.json", "/v1/feed",
    }  # fmt: skip
    assert json.dumps(document["paths"]["/v1/service-tokens"]["post"]["security"]) == '[{"clientSecret": []}]'
    assert {"401", "403"} <= document["paths"]["/v1/sessions"]["post"]["responses"].keys()
