"""What the relay's suites share: jars to fill, a relay in this process or in one of its own, and what Kafka holds in the end."""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition
from latchkey.envelope import decode
from latchkey.topics import BY_NAME, REGISTRY_APP_EVENTS, Topic
from prometheus_client import CollectorRegistry

from shared.relay.gauges import Gauges
from shared.relay.heartbeat import Heartbeat
from shared.relay.relay import Relay, RelaySettings
from shared.store.aggregates import Aggregates
from shared.store.contract import Store
from shared.wake import LocalWake
from stack.databases import Database
from tests.shared.toy import JAR, STATE_TOPIC, Filling, Jar, JarEvent, Labelling, context

ROOT = Path(__file__).resolve().parents[3]
_STARTED_MS = int(time.time() * 1000)  # what lies in a shared topic from before is nobody's business here
TOPICS = (BY_NAME[REGISTRY_APP_EVENTS], BY_NAME[STATE_TOPIC])


class Found(NamedTuple):
    """A record as Kafka holds it."""

    offset: int
    key: str
    value: bytes | None


async def fill(store: Store, stream: str, times: int, label: str | None = None) -> None:
    """Append `times` public events to one stream, one command each."""
    jars: Aggregates[Jar, JarEvent] = Aggregates(JAR, store)
    if label:
        await jars.decide(stream, Labelling(label), context())
    for _ in range(times):
        await jars.decide(stream, Filling(1), context())


async def fill_many(store: Store, prefix: str, streams: int, times: int) -> None:
    """The same for several streams at once: `<prefix>_0`, `<prefix>_1`, …"""
    await asyncio.gather(*(fill(store, f"{prefix}_{n}", times) for n in range(streams)))


async def records(bootstrap: str, topic: str, prefix: str) -> list[Found]:
    """Every record of the topic whose key begins with `prefix`, partition by partition in order."""
    reader = AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False)
    await reader.start()
    try:
        places = [TopicPartition(topic, n) for n in range(BY_NAME[topic].partitions if topic in BY_NAME else 1)]
        ends = await reader.end_offsets(places)
        starts = await reader.offsets_for_times(dict.fromkeys(places, _STARTED_MS))
        reader.assign(places)
        for place in places:
            reader.seek(place, ends[place] if starts[place] is None else starts[place].offset)
        found: dict[int, list[Found]] = {place.partition: [] for place in places}
        left = set(places)
        while left := {place for place in left if await reader.position(place) < ends[place]}:
            for place, came in (await reader.getmany(*left, timeout_ms=100)).items():
                keyed = (Found(record.offset, (record.key or b"").decode(), record.value) for record in came)
                found[place.partition] += [record for record in keyed if record.key.startswith(prefix)]
        return [record for partition in sorted(found) for record in found[partition]]
    finally:
        await reader.stop()


async def position(database: Database) -> int:
    """Where the durable cursor stands."""
    db = await asyncpg.connect(database.app)
    try:
        return int(await db.fetchval("SELECT coalesce(max(position), 0) FROM es.relay"))
    finally:
        await db.close()


async def published(database: Database) -> bool:
    """Whether the cursor has passed the whole log."""
    db = await asyncpg.connect(database.app)
    try:
        last = await db.fetchval("SELECT coalesce(max(position), 0) FROM es.events")
    finally:
        await db.close()
    return await position(database) >= int(last)


def first_occurrences(found: Sequence[Found]) -> dict[str, list[int]]:
    """The versions of each stream in the order in which they appeared first."""
    seen: dict[str, list[int]] = {}
    for record in found:
        envelope = decode(record.value or b"")
        versions = seen.setdefault(record.key, [])
        if envelope.streamversion not in versions:
            versions.append(envelope.streamversion)
    return seen


class Running(NamedTuple):
    """A relay that runs in this process."""

    gauges: Gauges
    wake: LocalWake
    registry: CollectorRegistry


@asynccontextmanager
async def relaying(
    database: Database, bootstrap: str, *, topics: Sequence[Topic] = TOPICS, heartbeat: Heartbeat | None = None
) -> AsyncIterator[Running]:
    """Run a relay meanwhile."""
    wake, registry = LocalWake(), CollectorRegistry()
    gauges = Gauges(registry)
    task = asyncio.create_task(Relay(RelaySettings(database.app, bootstrap, topics, heartbeat=heartbeat), wake, gauges).run())
    try:
        yield Running(gauges, wake, registry)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def spawn(database: Database, bootstrap: str, failpoint: str = "") -> asyncio.subprocess.Process:
    """Start a relay as a process; with a failpoint it dies there with status 137."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'client'}", "FAILPOINT": failpoint}
    program = (sys.executable, "-m", "tests.shared.relay.process", database.app, bootstrap)
    return await asyncio.create_subprocess_exec(*program, cwd=ROOT, env=environment, stdout=asyncio.subprocess.DEVNULL)


async def end(process: asyncio.subprocess.Process) -> None:
    """Kill it, if it still runs."""
    if process.returncode is None:
        process.kill()
    await process.wait()
