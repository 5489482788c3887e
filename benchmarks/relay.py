"""Relay: a log of 100,000 events to Kafka in order, beside Kafka's own ProducerPerformance; and commit → Kafka at 5,000 a second."""

import asyncio
import statistics
import subprocess
import tempfile
import time

import asyncpg
from aiokafka import AIOKafkaConsumer
from latchkey.topics import REGISTRY_APP_EVENTS, Topic
from prometheus_client import CollectorRegistry

from benchmarks.measure import Figure, figure, interleaved
from benchmarks.seed import PLAIN_JAR, seed
from shared.relay.gauges import Gauges
from shared.relay.relay import Relay, RelaySettings, topics_of
from shared.store.aggregates import Aggregates
from shared.store.postgres import StoreSettings, open_store
from shared.wake import LocalWake
from stack.databases import Database
from stack.parts.jars import jars as kafka_jars
from stack.testing import RealStack
from tests.shared.toy import Filled, Jar, JarEvent, context

EVENTS = 100_000
BYTES = 600  # about the size of one of our events
RATE, RATE_SECONDS = 5_000, 4


async def run(stack: RealStack) -> list[Figure]:
    """Two lines: events a second beside the peer, and how late an event is on Kafka under a steady load."""
    database = stack.fresh_database("bench")
    await seed(database, EVENTS)
    stack.make_topics(Topic("bench.peer", 12, {"cleanup.policy": "delete"}))
    ours, theirs = await interleaved(lambda: relayed(stack, database, EVENTS), lambda: _theirs(stack), rounds=3)
    late = await _lateness(stack, database)
    return [
        figure(
            "relay",
            f"{EVENTS:,} events",
            "events/s",
            ours,
            theirs,
            peer="ProducerPerformance",
            judged="rate",
            floor=60_000,
            goal=_goal(theirs),
        ),
        figure("relay", f"commit → Kafka p50 at {RATE:,}/s", "ms", [late[0]], floor=None, goal=5, smaller_is_better=True),
        figure("relay", f"commit → Kafka p99 at {RATE:,}/s", "ms", [late[1]], floor=100, goal=25, smaller_is_better=True),
    ]


def _goal(theirs: list[float]) -> float:
    return 0.9 * statistics.median(theirs)


async def relayed(stack: RealStack, database: Database, events: int) -> float:
    """Events a second from a log of so many to Kafka."""
    db = await asyncpg.connect(database.owner)
    await db.execute("DELETE FROM es.relay")
    head = await db.fetchval("SELECT max(position) FROM es.events")
    wake = LocalWake()
    relay = Relay(RelaySettings(database.app, stack.bootstrap, topics_of("registry")), wake, Gauges(CollectorRegistry()))
    running = asyncio.create_task(relay.run())
    first = started = time.perf_counter()
    position = 0
    while position < head:
        await asyncio.sleep(0.002)
        position = await db.fetchval("SELECT max(position) FROM es.relay") or 0
        if position == 0:
            started = time.perf_counter()  # connecting to Kafka is not what is measured
        if time.perf_counter() - first > 600:
            raise TimeoutError
    took = time.perf_counter() - started
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await db.close()
    return events / took


async def _theirs(stack: RealStack) -> float:
    with tempfile.NamedTemporaryFile("w", suffix=".properties") as file:
        file.write(f"bootstrap.servers={stack.bootstrap}\nacks=all\n")
        file.flush()
        command = [
            "java", "-Xmx256m", "-cp", f"{kafka_jars()}/*", "org.apache.kafka.tools.ProducerPerformance", "--topic", "bench.peer",
            "--num-records", str(EVENTS), "--record-size", str(BYTES), "--throughput", "-1", "--command-config", file.name,
        ]  # fmt: skip
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-400:])
    return float(done.stdout.strip().splitlines()[-1].split("records sent, ")[1].split(" records/sec")[0])


async def _lateness(stack: RealStack, database: Database) -> tuple[float, float]:
    """Median and 99th percentile of the milliseconds from the answer of an append to the record in a consumer's hands."""
    wake = LocalWake()
    relay = Relay(RelaySettings(database.app, stack.bootstrap, topics_of("registry")), wake, Gauges(CollectorRegistry()))
    running = asyncio.create_task(relay.run())
    consumer = AIOKafkaConsumer(REGISTRY_APP_EVENTS, bootstrap_servers=stack.bootstrap, auto_offset_reset="latest", fetch_max_wait_ms=20)
    await consumer.start()
    await consumer.seek_to_end()
    seen: dict[bytes, float] = {}
    listening = asyncio.create_task(_listen(consumer, seen))
    await asyncio.sleep(1)
    committed: dict[bytes, float] = {}
    async with open_store(StoreSettings(database.app, b"k" * 32), [], {}, wake) as (store, _):
        jars: Aggregates[Jar, JarEvent] = Aggregates(PLAIN_JAR, store)
        per_tick, tick = 10, 10 / RATE
        started = time.perf_counter()
        waiting: set[asyncio.Task[None]] = set()
        for number in range(RATE * RATE_SECONDS // per_tick):
            stream = f"late_{number}"
            waiting.add(asyncio.create_task(_append(jars, stream, per_tick, committed)))
            await asyncio.sleep(max(0.0, started + number * tick - time.perf_counter()))
        await asyncio.gather(*waiting)
        await asyncio.sleep(1)
    for task in (listening, running):
        task.cancel()
    await asyncio.gather(listening, running, return_exceptions=True)
    await consumer.stop()
    late = sorted(1000 * (seen[key] - at) for key, at in committed.items() if key in seen)
    return late[len(late) // 2], late[int(0.99 * len(late))]


async def _append(jars: Aggregates[Jar, JarEvent], stream: str, events: int, committed: dict[bytes, float]) -> None:
    await jars.decide(stream, lambda _: [Filled(1)] * events, context())
    committed[stream.encode()] = time.perf_counter()


async def _listen(consumer: AIOKafkaConsumer, seen: dict[bytes, float]) -> None:
    while True:
        for records in (await consumer.getmany(timeout_ms=100)).values():
            now = time.perf_counter()
            for record in records:
                seen[record.key] = now
