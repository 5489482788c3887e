"""Relay: a log of 100,000 events to Kafka in order, beside Kafka's own ProducerPerformance; and commit → Kafka at a steady pace."""

import asyncio
import secrets
import statistics
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import asyncpg
import psutil
from aiokafka import AIOKafkaConsumer
from latchkey.topics import REGISTRY_APP_EVENTS, Topic
from prometheus_client import CollectorRegistry

from benchmarks.measure import LOAD_CORE, QUICK, ROUNDS, SERVER_CORE, Figure, figure, interleaved, pin
from benchmarks.plain import TOPIC as PLAIN
from benchmarks.relaying import CHANNEL
from benchmarks.seed import PLAIN_JAR, seed
from benchmarks.serving import spawned
from shared.relay.cursor import rewind
from shared.relay.gauges import Gauges
from shared.relay.relay import Relay, RelaySettings, topics_of
from shared.store.aggregates import Aggregates
from shared.store.postgres import StoreSettings, open_store
from shared.wake import LocalWake, RedisWake
from stack.databases import Database
from stack.parts.jars import jars as kafka_jars
from stack.testing import RealStack
from tests.shared.toy import Filled, Jar, JarEvent, context

EVENTS = 20_000 if QUICK else 100_000
BYTES = 600  # about the size of one of our events
_LEAST: dict[str, Any] = {"peer": "wake, read, send", "smaller_is_better": True, "at_the_limit": True}
RATE_SECONDS, IDLE_SECONDS, PATIENCE_SECONDS = 1 if QUICK else 4, 2 if QUICK else 5, 60


@dataclass(frozen=True)
class Pace:
    """A steady load: so many events a second, so many in each append, each append to a stream of its own."""

    rate: int
    per_append: int


@dataclass(frozen=True)
class Kept:
    """How a publisher keeps pace: milliseconds from the answer of an append to the record in a consumer's hands, and its CPU an event."""

    p50_ms: float
    p99_ms: float
    cpu_us: float


@dataclass(frozen=True)
class Round:
    """One process of a publisher: how it kept each of `PACES`, its megabytes, and percent of a core at rest."""

    paces: Sequence[Kept]
    memory: float
    idle: float


PACES = TRICKLE, STEADY = Pace(1_000, 1), Pace(5_000, 10)


async def run(stack: RealStack) -> list[Figure]:
    """Events a second beside the peer; how late an event is on Kafka under a steady load, and what the relay's own process takes for it."""
    database = stack.fresh_database("bench")
    await seed(database, EVENTS)
    stack.make_topics(Topic("bench.peer", 12, {"cleanup.policy": "delete"}))
    ours, theirs = await interleaved(lambda: relayed(stack, database, EVENTS), lambda: _theirs(stack), rounds=min(3, ROUNDS))
    kept, least = await interleaved(partial(_kept, stack, database), partial(_least, stack, database), rounds=min(3, ROUNDS), warm=True)
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
        *(each for number, pace in enumerate(PACES) for each in _late(pace, _at(number, kept), _at(number, least))),
        figure("relay", "CPU of its process, idle", "% of a core", [each.idle for each in kept], goal=5, smaller_is_better=True),
        figure("relay", "memory of its process", "MB", [each.memory for each in kept], [each.memory for each in least], goal=60, **_LEAST),
    ]


async def _kept(stack: RealStack, database: Database) -> Round:
    with publishing(stack, database) as relay:
        paces = [await keeping(stack, database, REGISTRY_APP_EVENTS, relay, pace) for pace in PACES]
        return Round(paces, relay.memory_info().rss / 1e6, await idle(relay))


async def _least(stack: RealStack, database: Database) -> Round:
    with plainly(stack, database) as plain:
        paces = [await keeping(stack, database, PLAIN.name, plain, pace) for pace in PACES]
        return Round(paces, plain.memory_info().rss / 1e6, 0.0)


def _at(pace: int, rounds: Sequence[Round]) -> list[Kept]:
    return [each.paces[pace] for each in rounds]


def _late(pace: Pace, ours: Sequence[Kept], least: Sequence[Kept]) -> list[Figure]:
    at = f"at {pace.rate:,}/s"
    p50, p99, cpu = ([[getattr(kept, what) for kept in side] for side in (ours, least)] for what in ("p50_ms", "p99_ms", "cpu_us"))
    return [
        figure("relay", f"commit → Kafka p50 {at}", "ms", *p50, goal=5, **_LEAST),
        figure("relay", f"commit → Kafka p99 {at}", "ms", *p99, floor=100, goal=25, **_LEAST),
        figure("relay", f"CPU of its process {at}", "µs/event", *cpu, goal=60 if pace is TRICKLE else None, **_LEAST),
    ]


def _goal(theirs: list[float]) -> float:
    return 0.9 * statistics.median(theirs)


async def relayed(stack: RealStack, database: Database, events: int) -> float:
    """Events a second from a log of so many to Kafka."""
    db = await asyncpg.connect(database.owner)
    await rewind(db, 0)
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


def publishing(stack: RealStack, database: Database) -> AbstractContextManager[psutil.Process]:
    """Our relay alone in a process of its own, on the server's core."""
    return spawned("benchmarks.relaying", database.app, stack.bootstrap, stack.redis_url)


@contextmanager
def plainly(stack: RealStack, database: Database) -> Iterator[psutil.Process]:
    """The least of a publisher in its place."""
    stack.make_topics(PLAIN)
    with spawned("benchmarks.plain", database.app, stack.bootstrap, stack.redis_url) as process:
        yield process


async def keeping(stack: RealStack, database: Database, topic: str, publisher: psutil.Process, pace: Pace) -> Kept:
    """Append at this pace and listen to the topic, both on the load's core. Raises RuntimeError when a record does not come."""
    pin(LOAD_CORE)
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=stack.bootstrap, auto_offset_reset="latest", fetch_max_wait_ms=20)
    await consumer.start()
    await consumer.seek_to_end()
    committed: dict[bytes, float] = {}
    seen: dict[bytes, float] = {}
    listening = asyncio.create_task(_listen(consumer, seen))
    async with RedisWake(stack.redis_url, CHANNEL, listen=False) as wake, _jars(database, wake) as jars:
        warming: dict[bytes, float] = {}
        await _appended(jars, pace, 1, warming)
        await _arrived(warming, seen)
        before = sum(publisher.cpu_times()[:2])
        await _appended(jars, pace, RATE_SECONDS, committed)
        await _arrived(committed, seen)
        used = sum(publisher.cpu_times()[:2]) - before
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await consumer.stop()
    pin(SERVER_CORE)
    late = sorted(1000 * (seen[key] - at) for key, at in committed.items())
    return Kept(late[len(late) // 2], late[int(0.99 * len(late))], 1e6 * used / (len(committed) * pace.per_append))


async def idle(publisher: psutil.Process) -> float:
    """Percent of a core that it takes while nothing happens."""
    await asyncio.sleep(2)
    before = sum(publisher.cpu_times()[:2])
    await asyncio.sleep(IDLE_SECONDS)
    return 100 * (sum(publisher.cpu_times()[:2]) - before) / IDLE_SECONDS


@asynccontextmanager
async def _jars(database: Database, wake: RedisWake) -> AsyncIterator[Aggregates[Jar, JarEvent]]:
    async with open_store(StoreSettings(database.app, b"k" * 32), [], {}, wake) as (store, _):
        yield Aggregates(PLAIN_JAR, store)


async def _appended(jars: Aggregates[Jar, JarEvent], pace: Pace, seconds: float, committed: dict[bytes, float]) -> None:
    """Open loop: an append begins when it is due, whether those before it are answered or not."""
    started, tick = time.perf_counter(), pace.per_append / pace.rate
    waiting: set[asyncio.Task[None]] = set()
    for number in range(int(pace.rate * seconds) // pace.per_append):
        await asyncio.sleep(max(0.0, started + number * tick - time.perf_counter()))
        waiting.add(asyncio.create_task(_append(jars, f"late_{secrets.token_hex(8)}", pace.per_append, committed)))
    await asyncio.gather(*waiting)


async def _arrived(committed: Mapping[bytes, float], seen: Mapping[bytes, float]) -> None:
    """Wait until every stream was seen."""
    until = time.perf_counter() + PATIENCE_SECONDS
    while missing := committed.keys() - seen.keys():
        if time.perf_counter() > until:
            raise RuntimeError(f"{len(missing)} of {len(committed)} streams did not come")
        await asyncio.sleep(0.05)


async def _append(jars: Aggregates[Jar, JarEvent], stream: str, events: int, committed: dict[bytes, float]) -> None:
    await jars.decide(stream, lambda _: [Filled(1)] * events, context())
    committed[stream.encode()] = time.perf_counter()


async def _listen(consumer: AIOKafkaConsumer, seen: dict[bytes, float]) -> None:
    while True:
        for records in (await consumer.getmany(timeout_ms=100)).values():
            now = time.perf_counter()
            for record in records:
                seen[record.key] = now
