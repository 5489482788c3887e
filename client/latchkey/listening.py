"""The plain way to hear events, at least once and without a database: a coroutine for each event, and Kafka's own offsets.

For whoever needs no exactly-once effect: a cache, a mail, a call that may be made twice. `latchkey.consumer` is for rows.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from latchkey.access import KafkaAccess
from latchkey.consumer.kafka import Revoked, connect, give_up, tell
from latchkey.consumer.plan import Arrival, Place
from latchkey.consumer.policy import Policy, Status
from latchkey.consumer.pulse import Pulse
from latchkey.consumer.reading import arrival
from latchkey.deadline import START_GRACE, finish, is_stray, within
from latchkey.envelope import Envelope
from latchkey.topics import BY_NAME

__all__ = ["Listener", "Unreadable"]

_log: Final = logging.getLogger("latchkey.listening")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A record that holds no event this client can read: where it lies, its bytes, and why.

    `reason` is `unknown_version`, `unreadable` or `too_large`; `error` says it in words.
    """

    topic: str
    partition: int
    offset: int
    raw: bytes
    reason: str
    error: str


class Listener:
    """Calls `handle` with every public event of `topics`, at least once and in the order of its stream.

    An event counts as heard when `handle` has returned; one that was under way when the process died, or when its partition moved to
    another member of `group`, comes again, so `handle` must bear that: `envelope.id` is the same each time. While `handle` raises, its
    event is tried again with a growing pause, and only its partition waits. Types that are not known come with `data=None`. A record that
    cannot be read goes to `unreadable`, by default into the log, and its partition goes on. Raises `ValueError` for a topic of states.
    """

    def __init__(
        self,
        kafka: str | KafkaAccess,
        topics: Iterable[str],
        group: str,
        handle: Callable[[Envelope], Awaitable[object]],
        *,
        unreadable: Callable[[Unreadable], Awaitable[object]] | None = None,
        member: str | None = None,
        policy: Policy | None = None,
    ) -> None:
        self._kafka, self._topics, self._group, self._member = kafka, sorted(topics), group, member
        compacted = [topic for topic in self._topics if topic in BY_NAME and BY_NAME[topic].compacted]
        if compacted:
            raise ValueError(f"{compacted[0]} is a topic of states; latchkey.statereader reads it")
        self._handle, self._unreadable, self._policy = handle, unreadable or _logged, policy or Policy()
        self._stopping, self._ended = asyncio.Event(), asyncio.Event()
        self._running = False
        self._turn = asyncio.Lock()
        self._pulse = Pulse(self._policy, Status())

    async def run(self) -> None:
        """Listen until `stop` is called or the task is cancelled. Errors of Kafka are logged and tried again."""
        self._running = True
        pause = self._policy.backoff_seconds
        try:
            while not self._stopping.is_set():
                began = time.monotonic()
                try:
                    await self._one_client()
                except (Exception, asyncio.CancelledError) as error:
                    if isinstance(error, asyncio.CancelledError) and not is_stray(error):
                        raise
                    _log.warning("the Kafka client is made anew: %s: %s", type(error).__name__, error)
                    pause = self._policy.backoff_after(pause, time.monotonic() - began)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._stopping.wait(), pause)
        finally:
            self._running = False
            self._ended.set()

    async def stop(self) -> None:
        """Finish the event that is being handled, commit, leave the group, and return when `run` has ended."""
        self._stopping.set()
        if self._running:
            await self._ended.wait()

    async def _one_client(self) -> None:
        kafka = connect(self._kafka, self._group, self._member, self._policy, begin=self._policy.start)
        try:
            kafka.subscribe(self._topics, listener=Revoked(self._finished))
            await finish(self._policy.start_seconds, kafka.start(), grace=START_GRACE)
            self._pulse.begin()
            while not self._stopping.is_set():
                kafka.resume(*(kafka.paused() - self._pulse.held_back()))
                batches = await within(self._policy.kafka_seconds, kafka.getmany(timeout_ms=self._policy.poll_ms))
                async with self._turn, asyncio.TaskGroup() as group:
                    for partition, records in batches.items():
                        group.create_task(self._take(kafka, partition, records))
                self._pulse.observe(kafka, {}, polled=bool(batches))
        finally:
            await give_up(kafka)

    async def _take(self, kafka: AIOKafkaConsumer, partition: TopicPartition, records: Iterable[ConsumerRecord]) -> None:
        done: int | None = None
        for record in records:
            if self._stopping.is_set() or partition not in kafka.assignment():
                break
            try:
                await self._hear(partition, record)
            except Exception as error:  # noqa: BLE001 - whatever it is, this event is not heard yet and the others go on
                self._hold_back(kafka, partition, record.offset, error)
                break
            self._pulse.applied(partition)
            done = record.offset + 1
        if done is not None and partition in kafka.assignment():
            await tell(kafka, {partition: done})

    async def _hear(self, partition: TopicPartition, record: ConsumerRecord) -> None:
        came: Arrival = arrival(Place(0, partition.partition, record.offset), record.value)
        if came.envelope is not None:
            await self._handle(came.envelope)
        else:
            await self._unreadable(Unreadable(partition.topic, partition.partition, record.offset, came.raw, str(came.reason), came.error))

    def _hold_back(self, kafka: AIOKafkaConsumer, partition: TopicPartition, offset: int, error: Exception) -> None:
        _log.warning("%s-%d waits at offset %d: %s", partition.topic, partition.partition, offset, type(error).__name__)
        self._pulse.hold_back(partition)
        if partition in kafka.assignment():
            kafka.seek(partition, offset)
            kafka.pause(partition)

    async def _finished(self) -> None:
        """Let what is being handled end before another member begins, bounded; after that it may be heard there too."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._policy.revoke_seconds):
                await self._turn.acquire()
                self._turn.release()


async def _logged(record: Unreadable) -> Any:
    _log.error("%s-%d offset %d cannot be read (%s): %s", record.topic, record.partition, record.offset, record.reason, record.error)
