"""Debezium on Kafka Connect beside our relay: the same log in the same PostgreSQL, the same bytes under the same keys on the same Kafka."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import asyncpg
import httpx2
import psutil
from aiokafka import AIOKafkaConsumer, TopicPartition
from latchkey.topics import REGISTRY_APP_EVENTS, Topic

from benchmarks.measure import LOAD_CORE, ROUNDS, SERVER_CORE, Figure, figure, interleaved, pin
from benchmarks.relay import EVENTS, STEADY, TRICKLE, Kept, idle, keeping, publishing, relayed
from benchmarks.seed import more, seed
from benchmarks.serving import launched, until_answers
from stack.databases import Database
from stack.parts.jars import VERSION, brought
from stack.ports import HOST, free_ports
from stack.testing import RealStack

DEBEZIUM: Final = "3.7.0.Final"
POLLS: Final = {500: "Debezium", 5: "Debezium, poll 5 ms", 1: "Debezium, poll 1 ms"}
"""`poll.interval.ms`: its default, and two that wait less."""
TOPIC: Final = Topic("bench.debezium", 12, {"cleanup.policy": "delete"})
_PATIENCE: Final = 300.0  # seconds
_WORKER: Final = """\
bootstrap.servers={bootstrap}
listeners=http://127.0.0.1:{port}
offset.storage.file.filename={folder}/offsets
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.converters.ByteArrayConverter
plugin.discovery=service_load
"""
# Its outbox router, with our log as the outbox: the stream is the key, the public bytes are the value.
_CONNECTOR: Final = {
    "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
    "topic.prefix": "bench",
    "plugin.name": "pgoutput",
    "slot.name": "bench",
    "publication.name": "bench",
    "publication.autocreate.mode": "disabled",
    "table.include.list": "es.events",
    "snapshot.mode": "no_data",
    "transforms": "outbox",
    "transforms.outbox.type": "io.debezium.transforms.outbox.EventRouter",
    "transforms.outbox.table.field.event.id": "position",
    "transforms.outbox.table.field.event.key": "stream_id",
    "transforms.outbox.table.field.event.payload": "public",
    "transforms.outbox.route.by.field": "stream_type",
    "transforms.outbox.route.topic.replacement": TOPIC.name,
}


@dataclass(frozen=True)
class Taken:
    """What a publisher takes and how late it is: percent of a core when idle, and both paces."""

    idle: float
    trickle: Kept
    steady: Kept


async def run(stack: RealStack) -> list[Figure]:
    """A backlog, both paces, the processor and the memory; of Debezium at three settings, with 512 MB of heap at most."""
    await _decode_logically(stack)
    stack.make_topics(TOPIC)
    ours, theirs = stack.fresh_database("bench"), stack.fresh_database("peer")
    await seed(ours, EVENTS)
    await seed(theirs, 0)
    async with _connect(stack, theirs) as connect:
        await connect.configure(500)
        rates = await interleaved(lambda: relayed(stack, ours, EVENTS), connect.backlog, rounds=min(3, ROUNDS))
        taken = {}
        for poll in POLLS:
            await connect.configure(poll)
            taken[poll] = await _taken(stack, theirs, TOPIC.name, connect.process)
        memory = connect.process.memory_info().rss / 1e6
    with publishing(stack, ours) as relay:
        mine = await _taken(stack, ours, REGISTRY_APP_EVENTS, relay)
        my_memory = relay.memory_info().rss / 1e6
    return [
        figure("relay", f"{EVENTS:,} events", "events/s", *rates, peer=POLLS[500]),
        figure("relay", "memory", "MB", [my_memory], [memory], peer=POLLS[500]),
        *(each for poll, peer in POLLS.items() for each in _figures(mine, taken[poll], peer)),
    ]


async def _taken(stack: RealStack, database: Database, topic: str, publisher: psutil.Process) -> Taken:
    trickle, steady = [await keeping(stack, database, topic, publisher, pace) for pace in (TRICKLE, STEADY)]
    return Taken(await idle(publisher), trickle, steady)


def _figures(mine: Taken, theirs: Taken, peer: str) -> list[Figure]:
    found = [figure("relay", "CPU, idle", "% of a core", [mine.idle], [theirs.idle], peer=peer)]
    for pace, my, their in ((TRICKLE, mine.trickle, theirs.trickle), (STEADY, mine.steady, theirs.steady)):
        found += [
            figure("relay", f"commit → Kafka p50 at {pace.rate:,}/s", "ms", [my.p50_ms], [their.p50_ms], peer=peer),
            figure("relay", f"commit → Kafka p99 at {pace.rate:,}/s", "ms", [my.p99_ms], [their.p99_ms], peer=peer),
            figure("relay", f"CPU at {pace.rate:,}/s", "µs/event", [my.cpu_us], [their.cpu_us], peer=peer),
        ]
    return found


async def _decode_logically(stack: RealStack) -> None:
    """Have PostgreSQL write what logical decoding needs, for both sides alike; it is the stack's to its end, as the slot needs it."""
    db = await asyncpg.connect(stack.superuser_dsn)
    await db.execute("ALTER SYSTEM SET wal_level = logical")
    await db.close()
    pin(LOAD_CORE)
    stack.postgres.stop()
    stack.postgres.start()
    pin(SERVER_CORE)


class _Connect:
    """Kafka Connect with one connector."""

    def __init__(self, stack: RealStack, database: Database, process: psutil.Process, http: httpx2.AsyncClient) -> None:
        self._stack, self._database, self.process, self._http = stack, database, process, http

    async def configure(self, poll_milliseconds: int) -> None:
        """Make the connector, or start it again with another setting."""
        at = urlsplit(self._stack.superuser_dsn)
        settings = {
            **_CONNECTOR, "poll.interval.ms": str(poll_milliseconds), "database.dbname": self._database.name, "database.hostname": HOST,
            "database.port": str(at.port), "database.user": at.username, "database.password": at.password,
        }  # fmt: skip
        (await self._http.put("/connectors/bench/config", json=settings)).raise_for_status()
        await self._until("RUNNING")

    async def backlog(self) -> float:
        """Events a second from the first that is on Kafka to the last, after a pause in which all were appended."""
        (await self._http.put("/connectors/bench/stop")).raise_for_status()
        await self._until("STOPPED")
        await more(self._database, EVENTS)
        async with _listening(self._stack) as consumer:
            before = await _end(consumer)
            (await self._http.put("/connectors/bench/resume")).raise_for_status()
            began = first = time.perf_counter()
            while (there := await _end(consumer)) < before + EVENTS:
                await asyncio.sleep(0.002)
                if there == before:
                    began = time.perf_counter()  # connecting is not what is measured
                if time.perf_counter() - first > _PATIENCE:
                    raise TimeoutError
            took = time.perf_counter() - began
        await self._until("RUNNING")
        return EVENTS / took

    async def _until(self, state: str) -> None:
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            answer = await self._http.get("/connectors/bench/status")
            tasks = [task["state"] for task in answer.json().get("tasks", [])]
            if "FAILED" in tasks:
                raise RuntimeError(answer.text[:800])
            if tasks == ([] if state == "STOPPED" else [state]) and answer.json()["connector"]["state"] == state:
                return
            await asyncio.sleep(0.1)
        raise TimeoutError(state)


@asynccontextmanager
async def _connect(stack: RealStack, database: Database) -> AsyncIterator[_Connect]:
    db = await asyncpg.connect(database.owner)
    await db.execute(
        "CREATE PUBLICATION bench FOR TABLE es.events (position, stream_type, stream_id, type, public) WITH (publish = 'insert')"
    )
    await db.close()
    jars = await asyncio.to_thread(brought, Path(__file__).with_suffix(".xml"), debezium=DEBEZIUM, kafka=VERSION)
    [port] = free_ports(1)
    with tempfile.TemporaryDirectory(prefix="latchkey-bench-") as folder:
        settings = Path(folder) / "worker.properties"
        settings.write_text(_WORKER.format(bootstrap=stack.bootstrap, port=port, folder=folder))
        command = ("java", "-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", f"{jars}/*")
        with launched(*command, "org.apache.kafka.connect.cli.ConnectStandalone", str(settings)) as process:
            url = f"http://{HOST}:{port}"
            await until_answers(f"{url}/connectors", process, _PATIENCE, status=200)
            async with httpx2.AsyncClient(base_url=url, timeout=60) as http:
                yield _Connect(stack, database, process, http)


@asynccontextmanager
async def _listening(stack: RealStack) -> AsyncIterator[AIOKafkaConsumer]:
    consumer = AIOKafkaConsumer(bootstrap_servers=stack.bootstrap)
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def _end(consumer: AIOKafkaConsumer) -> int:
    """How many records the topic has."""
    ends = await consumer.end_offsets([TopicPartition(TOPIC.name, number) for number in range(TOPIC.partitions)])
    return sum(ends.values())
