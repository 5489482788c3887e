"""One producer's life: explicit batches, one in flight per partition, a deadline on every await, and a quick end."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable, Mapping
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from latchkey.access import KafkaAccess, options
from latchkey.deadline import finish, within
from latchkey.partitioning import partition_of
from latchkey.topics import Topic

from shared.relay.leadership import Lease
from shared.relay.offsets import Offsets, Place

DEADLINE: Final = 10.0  # seconds for anything that Kafka is asked
LOG_HEADER: Final = "latchkey_log"
"""Names the log from which a record was published."""
_STOP: Final = 5.0
_SILENCE: Final = 3.0  # a partition that was heard of and gave nothing for so long has nothing left: it was compacted away
_BATCH_BYTES: Final = 900_000  # below Kafka's own limit of 1 MiB for a batch
_log: Final = logging.getLogger(__name__)


class Record(NamedTuple):
    """One record to send; `value` None is a tombstone."""

    topic: str
    key: str
    value: bytes | None
    headers: list[tuple[str, bytes]]


class Outlet:
    """Sends records in the order given, per partition, and keeps account of the offsets that they got.

    After an error it must be closed and never used again: whether its last batches arrived is unknown.
    """

    def __init__(self, bootstrap: str | KafkaAccess, topics: Iterable[Topic], offsets: Offsets, lease: Lease) -> None:
        self._bootstrap, self._offsets, self._lease = bootstrap, offsets, lease
        topics = list(topics)
        self._partitions = {topic.name: topic.partitions for topic in topics}
        self._compacted = frozenset(topic.name for topic in topics if topic.compacted)
        self._marks: list[tuple[str, bytes]] = []
        # An idempotent producer hangs for ever while the broker is away (aiokafka #1101) and dies of an unexpected sequence number
        # (#1017). This one keeps order because a batch is awaited before the next one of its partition is handed over.
        self._producer = AIOKafkaProducer(
            **options(bootstrap), acks="all", enable_idempotence=False, max_batch_size=_BATCH_BYTES,
            max_request_size=4 * _BATCH_BYTES, request_timeout_ms=int(DEADLINE * 1000), retry_backoff_ms=50,
        )  # fmt: skip
        self._observer = AIOKafkaConsumer(**options(bootstrap), request_timeout_ms=int(DEADLINE * 1000), enable_auto_commit=False)
        self._flying: list[asyncio.Future[Any]] = []

    async def open(self) -> None:
        """Connect. Raises what Kafka's client raises, or TimeoutError."""
        await _connect(self._producer, self._observer)

    def publishes(self, log: bytes) -> None:
        """Let every record from now on carry the name of the log that it comes from."""
        self._marks = [(LOG_HEADER, log)]

    def is_compacted(self, topic: str) -> bool:
        """Whether a topic keeps only the last record of a key."""
        return topic in self._compacted

    async def close(self) -> None:
        """End at once, within seconds, and also when cancelled meanwhile: what was not sent is not sent any more."""
        for future in self._flying:
            future.cancel()
        await _end(self._producer.stop, self._producer.client.close, self._observer.stop)

    def place(self, record: Record) -> Place:
        """Where a record goes: the same partition for one key, for ever."""
        return record.topic, partition_of(record.key, self._partitions[record.topic])

    def pack(self, records: Iterable[Record]) -> list[dict[Place, Any]]:
        """Batches in rounds: at most one batch per partition in a round, a second one where the first is full."""
        rounds: list[dict[Place, Any]] = []
        depth: dict[Place, int] = {}
        now = int(time.time() * 1000)
        for record in records:
            place = self.place(record)
            key, marks = record.key.encode(), record.headers + self._marks
            at = depth.setdefault(place, 0)
            if at == len(rounds):
                rounds.append({})
            batch = rounds[at].get(place)
            if batch is None:
                batch = rounds[at][place] = self._producer.create_batch()
            if batch.append(timestamp=now, key=key, value=record.value, headers=marks) is None:
                depth[place] = at + 1
                if at + 1 == len(rounds):
                    rounds.append({})
                batch = rounds[at + 1][place] = self._producer.create_batch()
                if batch.append(timestamp=now, key=key, value=record.value, headers=marks) is None:
                    raise ValueError(f"a record of {record.topic} is too large for any batch")  # to be seen, where a gap would not be
        return rounds

    async def send(self, rounds: Iterable[Mapping[Place, Any]]) -> None:
        """Send what was packed and wait until Kafka has it all. Raises LeadershipLost, LostRecords, TimeoutError, or Kafka's errors."""
        for batches in rounds:
            self._lease.check()
            async with asyncio.timeout(DEADLINE):
                self._flying = []
                for (topic, partition), batch in batches.items():
                    self._flying.append(await self._producer.send_batch(batch, topic, partition=partition))
                sent = await asyncio.gather(*self._flying)
            for (place, batch), metadata in zip(batches.items(), sent, strict=True):
                self._offsets.acknowledged(place, metadata.offset, batch.record_count())

    async def ends(self) -> dict[Place, int]:
        """The offset after the last record of every partition of every topic. Raises when a topic is missing."""
        everywhere = [TopicPartition(topic, n) for topic, count in self._partitions.items() for n in range(count)]
        async with asyncio.timeout(DEADLINE):
            found = await self._observer.end_offsets(everywhere)
        return {(at.topic, at.partition): end for at, end in found.items()}

    async def records(self, ranges: Mapping[Place, tuple[int, int]]) -> AsyncGenerator[Any]:
        """What these partitions hold from one offset up to, not including, another; what was compacted away is not there."""
        goals = {TopicPartition(*place): end for place, (start, end) in ranges.items() if end > start}
        if not goals:
            return
        reader = AIOKafkaConsumer(**options(self._bootstrap), enable_auto_commit=False, auto_offset_reset="earliest")
        try:
            await _connect(reader)
            reader.assign(list(goals))
            for at in goals:
                reader.seek(at, ranges[at.topic, at.partition][0])
            heard = time.monotonic()
            while goals and (time.monotonic() - heard < _SILENCE or not all(_answered(reader, at) for at in goals)):
                for record in await _arrived(reader, goals):
                    heard = time.monotonic()
                    yield record
                if time.monotonic() - heard > DEADLINE:
                    raise TimeoutError
        finally:
            await _end(reader.stop)


def _answered(reader: AIOKafkaConsumer, at: TopicPartition) -> bool:
    """Whether the broker has said lately what this partition holds; silence of the broker itself means nothing."""
    last = reader.last_poll_timestamp(at)  # milliseconds
    return last is not None and time.time() - last / 1000 < _SILENCE


async def _arrived(reader: AIOKafkaConsumer, goals: dict[TopicPartition, int]) -> list[Any]:
    """Records below their partition's goal that came within a moment; a partition that reached its goal is struck off."""
    async with asyncio.timeout(DEADLINE):
        found = await reader.getmany(*goals, timeout_ms=200)
        records = [record for at, came in found.items() for record in came if record.offset < goals[at]]
        for at in list(goals):
            if await reader.position(at) >= goals[at]:
                reader.pause(at)
                del goals[at]
    return records


async def _connect(*clients: Any) -> None:
    """Start them, or raise an error of one; then none is still at it, as one that connects would come too late for its end."""

    async def each() -> Any:
        return await asyncio.gather(*(client.start() for client in clients), return_exceptions=True)

    for error in await finish(DEADLINE + _STOP, each()):
        if error is not None:
            raise error


async def _end(*ends: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def each() -> None:
        for end in ends:
            try:
                await within(_STOP / 2, end())
            except Exception as error:  # noqa: BLE001  # it is thrown away because it failed; how it ends is of no interest
                _log.debug("a Kafka client ended with %r", error)

    await finish(2 * _STOP, each())
