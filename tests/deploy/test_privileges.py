"""Connect as each user of each store, and as each container, and try what it must not do."""

import contextlib
import json
import os
import re
import subprocess
from typing import Any

import asyncpg
import pytest
import redis.asyncio as redis
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import GroupAuthorizationFailedError, KafkaConnectionError, KafkaTimeoutError, TopicAuthorizationFailedError, for_code
from latchkey.access import KafkaAccess, options
from latchkey.topics import KEYS_VERIFIER_STATE, METRICS_TRANSACTION_EVENTS, REGISTRY_APP_EVENTS

from stack.layout import ROOT
from stack.ports import SERVICES
from tests.deploy.deployment import LONG_RUNNING, PROCESSES, Deployment

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def words(deployment: Deployment) -> dict[str, str]:
    """Every secret by name."""
    return deployment.secrets


@pytest.mark.parametrize("service", SERVICES)
async def test_the_app_role_cannot_change_history_or_tables(deployment: Deployment, words: dict[str, str], service: str) -> None:
    db = await asyncpg.connect(deployment.postgres(f"{service}_app", words[f"postgres.{service}_app"], service))
    try:
        for forbidden in (
            "UPDATE es.events SET version = 9", "DELETE FROM es.events", "TRUNCATE es.events", "CREATE TABLE mine (a int)",
            "ALTER TABLE es.events DISABLE TRIGGER ALL", "DROP TABLE es.commands", "CREATE ROLE friend", f"SET ROLE {service}_owner",
            "COPY (SELECT 1) TO PROGRAM 'true'", "SELECT pg_read_file('/etc/passwd')",
        ):  # fmt: skip
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await db.execute(forbidden)
    finally:
        await db.close()


@pytest.mark.parametrize("service", SERVICES)
async def test_the_read_role_writes_nothing(deployment: Deployment, words: dict[str, str], service: str) -> None:
    db = await asyncpg.connect(deployment.postgres(f"{service}_read", words[f"postgres.{service}_read"], service))
    try:
        assert await db.fetchval("SELECT count(*) >= 0 FROM es.events")
        for forbidden in (
            "DELETE FROM es.commands",
            "INSERT INTO es.relay (name, position) VALUES ('mine', 0)",
            "CREATE TABLE mine (a int)",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await db.execute(forbidden)
    finally:
        await db.close()


@pytest.mark.parametrize("role", ["owner", "app", "read"])
@pytest.mark.parametrize("service", SERVICES)
async def test_no_role_enters_another_database(deployment: Deployment, words: dict[str, str], service: str, role: str) -> None:
    for other in ({*SERVICES} - {service}) | {"postgres", "template1"}:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(deployment.postgres(f"{service}_{role}", words[f"postgres.{service}_{role}"], other))


async def test_a_wrong_password_is_refused_at_every_store(deployment: Deployment) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(deployment.postgres("keys_app", "not-the-password", "keys"))
    with pytest.raises(redis.AuthenticationError):
        await _as_redis(deployment.redis("keys", "not-the-password"), "PING")
    for access in (deployment.kafka("keys", "not-the-password"), KafkaAccess(deployment.kafka("keys", "").bootstrap)):
        with pytest.raises((KafkaConnectionError, TimeoutError)):
            await _read(access, REGISTRY_APP_EVENTS)


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_writes_only_its_own_topics(deployment: Deployment, words: dict[str, str], service: str) -> None:
    access = deployment.kafka(service, words[f"kafka.{service}"])
    producer = AIOKafkaProducer(**options(access), enable_idempotence=False, request_timeout_ms=10_000)
    await producer.start()
    try:
        for topic in (REGISTRY_APP_EVENTS, METRICS_TRANSACTION_EVENTS, KEYS_VERIFIER_STATE):
            if not topic.startswith(f"{service}."):
                with pytest.raises(TopicAuthorizationFailedError):
                    await producer.send_and_wait(topic, b"forged")
    finally:
        await producer.stop()


async def test_a_service_reads_only_what_it_listens_to(deployment: Deployment, words: dict[str, str]) -> None:
    for service, topic in (("identity", REGISTRY_APP_EVENTS), ("registry", METRICS_TRANSACTION_EVENTS), ("registry", KEYS_VERIFIER_STATE)):
        with pytest.raises(KafkaTimeoutError):  # aiokafka asks again and again for what it may not see
            await _read(deployment.kafka(service, words[f"kafka.{service}"]), topic)
    assert await _read(deployment.kafka("metrics", words["kafka.metrics"]), KEYS_VERIFIER_STATE) > 0


async def test_a_service_joins_only_its_own_groups_and_makes_no_topic(deployment: Deployment, words: dict[str, str]) -> None:
    access = deployment.kafka("metrics", words["kafka.metrics"])
    consumer = AIOKafkaConsumer(REGISTRY_APP_EVENTS, **options(access), group_id="keys-foreign")
    try:
        with pytest.raises(GroupAuthorizationFailedError):
            await consumer.start()
    finally:
        await consumer.stop()
    admin = AIOKafkaAdminClient(**options(access))
    await admin.start()
    try:
        answer = await admin.create_topics([NewTopic("metrics.mine", 1, 1)])
        assert [for_code(error[1]) for error in answer.topic_errors] == [TopicAuthorizationFailedError]
    finally:
        await admin.close()


async def _read(access: KafkaAccess, topic: str) -> int:
    """The end of partition 0, as this user sees it."""
    consumer = AIOKafkaConsumer(**options(access), request_timeout_ms=8_000)
    try:
        await consumer.start()
        at = TopicPartition(topic, 0)
        consumer.assign([at])
        end: int = (await consumer.end_offsets([at]))[at]
        await consumer.seek_to_beginning(at)
        await consumer.getmany(timeout_ms=3_000)
        return end
    finally:
        with contextlib.suppress(Exception):
            await consumer.stop()


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_has_only_its_own_keys_and_channel_in_redis(deployment: Deployment, words: dict[str, str], service: str) -> None:
    url = deployment.redis(service, words[f"redis.{service}"])
    assert await _as_redis(url, "PUBLISH", f"wake:{service}", "") is not None
    other = "keys" if service != "keys" else "identity"
    for forbidden in (
        ("FLUSHALL",), ("KEYS", "*"), ("CONFIG", "GET", "*"), ("ACL", "LIST"), ("GET", "limit:x"), ("SET", "other:x", "1"),
        ("PUBLISH", f"wake:{other}", ""), ("EVAL", "return 1", "0"), ("SHUTDOWN",),
    ):  # fmt: skip
        with pytest.raises(redis.ResponseError, match=r"(?i)permission|no permissions"):
            await _as_redis(url, *forbidden)


async def test_redis_has_no_default_user(deployment: Deployment) -> None:
    with pytest.raises(redis.AuthenticationError):
        await _as_redis(deployment.redis("default", "whatever"), "PING")


async def _as_redis(url: str, *words: str) -> object:
    client = redis.from_url(url, socket_timeout=10)
    try:
        return await client.execute_command(*words)  # type: ignore[no-untyped-call]  # redis-py leaves this one without annotations
    finally:
        await client.aclose()


@pytest.mark.parametrize("name", LONG_RUNNING)
def test_a_container_is_confined(deployment: Deployment, name: str) -> None:
    found = deployment.inspect(name)
    host, user = found["HostConfig"], found["Config"]["User"]
    assert user.split(":")[0].isdecimal()
    assert int(user.split(":")[0]) > 0
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert host["CapAdd"] in ([], None) or (name == "proxy" and host["CapAdd"] == ["CAP_NET_BIND_SERVICE"])
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert 0 < host["Memory"] <= 2**30
    assert 0 < host["PidsLimit"] <= 300
    assert not host["Privileged"]
    assert ":latest" not in found["Config"]["Image"]
    stop = found["Config"].get("StopTimeout") or 10
    assert stop >= 40 or name == "redis"


@pytest.mark.parametrize("name", [*PROCESSES, "portal"])
def test_a_process_reads_its_own_secrets_only_and_writes_nothing(deployment: Deployment, name: str) -> None:
    own = name.partition("-")[0]
    tried = """
import os, pathlib, sys
own = pathlib.Path("/secrets") / sys.argv[1]
assert any(os.access(f, os.R_OK) for f in own.iterdir())
for folder in pathlib.Path("/secrets").iterdir():
    assert folder == own or not os.access(folder, os.R_OK | os.X_OK), folder
for place in ("/secrets", str(own), "/app", "/", "/venv"):
    assert not os.access(place, os.W_OK), place
"""
    deployment.compose("exec", "-T", name, "python", "-c", tried, own)


def test_only_the_proxy_publishes_and_only_to_this_machine() -> None:
    services = _as_shipped()["services"]
    published = {name: [port["host_ip"] for port in service.get("ports", ())] for name, service in services.items()}
    assert {name: hosts for name, hosts in published.items() if hosts} == {"proxy": ["127.0.0.1"]}


def test_every_image_is_pinned_in_full() -> None:
    foreign = {
        service["image"] for service in _as_shipped()["services"].values() if "build" not in service and "latchkey/" not in service["image"]
    }
    assert len(foreign) == 4
    assert all(re.search(r":\d+\.\d+(\.\d+)?(-[a-z]+)?$", image) for image in foreign), foreign


def test_the_drain_ends_before_the_engine_loses_patience() -> None:
    for name in PROCESSES:
        service = _as_shipped()["services"][name]
        prefix = name.partition("-")[0].upper()
        drain = float(service["environment"][f"{prefix}_DRAIN_SECONDS"]) + 20  # `graceful_seconds` and the workers' own drain
        assert float(service["stop_grace_period"].removesuffix("s")) > drain + 5


def _as_shipped() -> dict[str, Any]:
    command = ["docker", "compose", "-f", "docker-compose.yml", "--profile", "*", "config", "--format", "json"]
    told = {name: value for name, value in os.environ.items() if not name.startswith(("LATCHKEY_", "COMPOSE_"))}
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env=told).stdout)
    return found


def test_the_stores_network_leads_nowhere(deployment: Deployment) -> None:
    tried = "import socket; socket.setdefaulttimeout(4); socket.create_connection(('192.0.2.1', 80))"
    refused = deployment.compose("exec", "-T", "keys-worker", "python", "-c", tried, check=False)
    assert refused.returncode != 0
    assert "timed out" in refused.stderr or "unreachable" in refused.stderr
