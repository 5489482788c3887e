"""The consumer itself: one Kafka client at a time, its partitions, and the loop that keeps both going whatever happens to either."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Iterable, Sequence

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from latchkey.access import KafkaAccess
from latchkey.consumer.backlog import Backlog, Sources
from latchkey.consumer.engine import Engine
from latchkey.consumer.faults import Moved
from latchkey.consumer.handling import Handler, Reactor
from latchkey.consumer.kafka import Revoked, connect, give_up, tell
from latchkey.consumer.ledger import Ledger
from latchkey.consumer.partitions import Partitions, Record
from latchkey.consumer.policy import Policy, Status
from latchkey.consumer.pulse import Pulse
from latchkey.consumer.seats import seated
from latchkey.consumer.waiting import wait_for
from latchkey.deadline import START_GRACE, finish, is_stray, within
from latchkey.topics import BY_NAME

_log = logging.getLogger("latchkey.consumer")


class Consumer:
    """Gives each public event of `topics` its effect exactly once in the database behind `pool`.

    `name` and `version` say whose checkpoints these are: another version starts from the beginning, into tables of its own. `group`
    shares the partitions among the processes that use it and this database. `member`, unique in the group and the same after a restart,
    spares it the wait for those that were killed; without one it takes a seat (`latchkey.consumer.seats`), for which the pool needs a
    second connection. `source` is the publisher's feed (`latchkey.feed.Feed`), or the feed of each topic: it fills gaps and what retention
    took.
    The tables of `latchkey.consumer.install` must be there. Raises `ValueError` for a compacted topic: that holds states, not events.
    """

    def __init__(
        self,
        bootstrap: str | KafkaAccess,
        pool: asyncpg.Pool,
        handler: Handler | Reactor,
        topics: Iterable[str],
        group: str,
        *,
        name: str,
        version: int = 1,
        schema: str = "latchkey",
        member: str | None = None,
        source: Sources | None = None,
        policy: Policy | None = None,
    ) -> None:
        self._topics = sorted(topics)
        compacted = [topic for topic in self._topics if topic in BY_NAME and BY_NAME[topic].compacted]
        if compacted:
            raise ValueError(f"{compacted[0]} is a topic of states; latchkey.statereader reads it")
        self._bootstrap, self._group, self._member = bootstrap, group, member
        self._policy = policy or Policy()
        self.status = Status()
        self._pool, self._ledger = pool, Ledger(name, version, schema)
        engine = Engine(pool, self._ledger, handler, self._policy, self.status)
        backlog = Backlog(pool, self._ledger, engine, source, self._policy.transaction_seconds)
        self._partitions = Partitions(pool, self._ledger, engine, backlog, self._policy, self.status)
        self._pulse = Pulse(self._policy, self.status)
        self._stopping, self._idle, self._ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._idle.set()
        self._slots = asyncio.Semaphore(self._policy.concurrency)
        self._committing: asyncio.Task[None] | None = None
        self._tending: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Consume until `stop` is called or the task is cancelled. Errors are logged, shown in `status` and tried again with a wait."""
        self.status.running = True
        delay = self._policy.backoff_seconds
        try:
            while not self._stopping.is_set():
                began = time.monotonic()
                try:
                    await self._one_client()
                except (Exception, asyncio.CancelledError) as error:
                    if isinstance(error, asyncio.CancelledError) and not is_stray(error):
                        raise
                    self._failed(error, "the Kafka client is made anew")
                    self.status.clients_recreated += 1
                    delay = self._policy.backoff_after(delay, time.monotonic() - began)
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._stopping.wait(), delay)
        finally:
            self.status.running = False
            self._ended.set()

    async def stop(self) -> None:
        """Finish the batch that is running, leave the group, and return when `run` has ended."""
        self._stopping.set()
        if self.status.running:
            await self._ended.wait()

    async def wait_for(self, stream_id: str, version: int, wait_seconds: float) -> bool:
        """Wait until this consumer's rows hold `version` of the stream; false when that took too long."""
        return await wait_for(
            self._pool,
            self._ledger.name,
            stream_id,
            version,
            wait_seconds,
            projection_version=self._ledger.version,
            schema=self._ledger.schema,
        )

    async def _one_client(self) -> None:
        async with seated(self._pool, self._group, self._member, self._topics) as seat:
            kafka = connect(self._bootstrap, self._group, seat.member, self._policy)
            try:
                kafka.subscribe(self._topics, listener=Revoked(self.on_revoked))
                await finish(self._policy.start_seconds, kafka.start(), grace=START_GRACE)
                self._pulse.begin()
                while not self._stopping.is_set():
                    await seat.check()
                    await self._turn(kafka)
            finally:
                self._partitions.forget()
                if self._tending is not None:
                    self._tending.cancel()
                    await asyncio.wait([self._tending])
                await give_up(kafka)

    async def _turn(self, kafka: AIOKafkaConsumer) -> None:
        if self._pulse.recheck_due():
            self._partitions.forget()
        await self._take_up(kafka)
        batches = await within(self._policy.kafka_seconds, kafka.getmany(timeout_ms=self._policy.poll_ms))
        self._idle.clear()
        try:
            async with asyncio.TaskGroup() as group:
                for partition, records in batches.items():
                    group.create_task(self._apply(kafka, partition, records))
        finally:
            self._idle.set()
        if (self._tending is None or self._tending.done()) and self._pulse.tend_due():
            self._tending = asyncio.create_task(self._tend())
        self._pulse.observe(kafka, self._partitions.held(), polled=bool(batches))

    async def _take_up(self, kafka: AIOKafkaConsumer) -> None:
        due = kafka.assignment() - self._pulse.held_back()
        for partition, error in (await self._partitions.take_up(kafka, due)).items():
            self._hold_back(kafka, partition, error)
        kafka.resume(*(set(self._partitions.held()) & kafka.paused()))

    def _hold_back(self, kafka: AIOKafkaConsumer, partition: TopicPartition, error: Exception) -> None:
        self._failed(error, f"{partition.topic}-{partition.partition} waits")
        self._partitions.forget(partition)
        if partition in kafka.assignment():
            kafka.pause(partition)
            self._pulse.hold_back(partition)

    async def _apply(self, kafka: AIOKafkaConsumer, partition: TopicPartition, records: Sequence[Record]) -> None:
        try:
            async with self._slots:
                await self._partitions.apply(partition, records)
        except Moved:
            self._partitions.forget(partition)
        except Exception as error:  # noqa: BLE001 - whatever it is, the other partitions go on, and this one shows its age
            self._hold_back(kafka, partition, error)
        else:
            self._pulse.applied(partition)
            self._commit(kafka)

    async def _tend(self) -> None:
        try:
            await self._partitions.tend()
        except Exception as error:  # noqa: BLE001 - what was put aside must not hold up what comes
            self._failed(error, "what was put aside stays there for now")

    def _commit(self, kafka: AIOKafkaConsumer) -> None:
        """Tell Kafka too, for the tools that look there; nobody waits for it and nothing depends on it."""
        if (self._committing is None or self._committing.done()) and self._pulse.commit_due():
            offsets = {partition: held.next_offset for partition, held in self._partitions.held().items()}
            self._committing = asyncio.create_task(tell(kafka, offsets))

    def _failed(self, error: BaseException, consequence: str) -> None:
        self.status.failures += 1
        self.status.last_error = f"{type(error).__name__}: {error}"
        _log.warning("%s: %s (%s)", self._ledger.name, consequence, self.status.last_error)

    async def on_revoked(self) -> None:
        """Let the running batch finish, bounded; a batch that takes longer is refused by its checkpoint."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._policy.revoke_seconds):
                await self._idle.wait()
        self._partitions.forget()
