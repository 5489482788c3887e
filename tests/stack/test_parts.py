"""The parts are real, keep what they acknowledged through a kill, and listen on this machine only."""

import os
from collections.abc import Callable
from email.message import EmailMessage
from smtplib import SMTP

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient
from latchkey.topics import TOPICS, Topic

from stack.databases import Database, note, write_note
from stack.layout import write_json
from stack.parts import Mail
from stack.ports import free_ports
from stack.testing import RealStack, remove, temporary_layout

pytestmark = pytest.mark.stack


async def test_a_row_survives_killing_postgres(breakable_stack: RealStack) -> None:
    database = breakable_stack.fresh_database("keys")
    owner = await asyncpg.connect(database.owner)
    await owner.execute("CREATE TABLE kept (value int); INSERT INTO kept VALUES (7)")
    breakable_stack.postgres.kill()
    breakable_stack.postgres.start()
    owner = await asyncpg.connect(database.owner)
    assert await owner.fetchval("SELECT value FROM kept") == 7
    await owner.close()
    breakable_stack.drop(database)


async def test_a_record_survives_stopping_kafka(breakable_stack: RealStack) -> None:
    breakable_stack.make_topics(Topic("kept", 1, {"cleanup.policy": "delete"}))
    async with AIOKafkaProducer(bootstrap_servers=breakable_stack.bootstrap, acks="all") as producer:
        await producer.send_and_wait("kept", b"seven")
    breakable_stack.kafka.stop()
    breakable_stack.kafka.start()
    consumer = AIOKafkaConsumer("kept", bootstrap_servers=breakable_stack.bootstrap, auto_offset_reset="earliest")
    async with consumer:
        assert (await consumer.getone()).value == b"seven"


async def test_each_role_may_do_what_it_is_for(fresh_database: Callable[[str], Database]) -> None:
    database = fresh_database("registry")
    owner, app = await asyncpg.connect(database.owner), await asyncpg.connect(database.app)
    await owner.execute("CREATE TABLE things (id int)")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await app.execute("CREATE TABLE mine (id int)")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await app.execute("SELECT * FROM things")
    assert await app.fetchval("SHOW idle_in_transaction_session_timeout") == "10s"
    assert await app.fetchval("SHOW fsync") == "on"
    assert await app.fetchval("SHOW deadlock_timeout") == "100ms"
    await owner.close()
    await app.close()


async def test_one_service_cannot_enter_the_database_of_another(fresh_database: Callable[[str], Database]) -> None:
    keys, metrics = fresh_database("keys"), fresh_database("metrics")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(keys.app.rpartition("/")[0] + f"/{metrics.name}")


async def test_a_wrong_password_is_refused(stack: RealStack) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(stack.superuser_dsn, password="guess")
    assert stack.valkey.talk(b"PING\r\n").startswith(b"-NOAUTH")


async def test_the_topics_of_the_contract_are_there_with_their_partitions(stack: RealStack) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.bootstrap)
    await admin.start()
    found = {topic["topic"]: len(topic["partitions"]) for topic in await admin.describe_topics([topic.name for topic in TOPICS])}
    await admin.close()
    assert found == {topic.name: topic.partitions for topic in TOPICS}


def test_a_sent_message_becomes_one_file(stack: RealStack) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "noreply@latchkey.test", "ann@example.com", "Your code"
    message.set_content("123456")
    before = set(stack.mail_directory.glob("*.eml"))
    with SMTP(stack.endpoints.smtp_host, stack.endpoints.smtp_port) as client:
        client.send_message(message)
    (kept,) = set(stack.mail_directory.glob("*.eml")) - before
    assert b"123456" in kept.read_bytes()


def test_nothing_listens_beyond_this_machine(local_stack: RealStack) -> None:
    for part in local_stack.parts.all:
        assert part.child.pid is not None
        listening = [at.laddr.ip for at in psutil.Process(part.child.pid).net_connections() if at.status == psutil.CONN_LISTEN]
        # The JVM names an IPv4 address in IPv6 form.
        assert {address.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}, part.name


async def test_a_note_on_a_database_lives_and_dies_with_it(stack: RealStack) -> None:
    database = stack.fresh_database("keys")
    assert await note(stack.superuser_dsn, database.name) is None
    await write_note(stack.superuser_dsn, database.name, "abc123")
    assert await note(stack.superuser_dsn, database.name) == "abc123"
    with pytest.raises(ValueError, match="quoting"):
        await write_note(stack.superuser_dsn, database.name, "'; DROP DATABASE postgres")
    stack.drop(database)
    assert await note(stack.superuser_dsn, database.name) is None


def test_what_a_killed_run_left_is_cleared_away_by_the_next() -> None:
    left = temporary_layout()
    mail = Mail(left, free_ports(1)[0])
    mail.start()
    kept = temporary_layout()
    assert mail.child.pid is not None
    write_json(left.directory / "owner.json", {"pid": os.getpid(), "started": 1})
    remove(temporary_layout())
    assert mail.child.wait(0)
    assert not left.directory.exists()
    assert kept.directory.exists()
    remove(kept)
