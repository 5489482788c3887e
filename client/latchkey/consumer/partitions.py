"""The partitions a consumer holds: taking them up, checking that the topic is still the same, applying what comes."""

import contextlib
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import asyncpg
from aiokafka import AIOKafkaConsumer, TopicPartition

from latchkey.consumer.backlog import Backlog
from latchkey.consumer.beginning import Beginning, begin, remade
from latchkey.consumer.engine import Engine, Work
from latchkey.consumer.faults import Moved
from latchkey.consumer.ledger import Held, Ledger
from latchkey.consumer.plan import Place
from latchkey.consumer.policy import Policy, Status
from latchkey.consumer.reading import arrival, digest
from latchkey.consumer.tables import borrowed
from latchkey.deadline import within

_log = logging.getLogger("latchkey.consumer")


class Record(Protocol):
    """What is used of a record that Kafka gave."""

    offset: int
    value: bytes | None


class Partitions:
    """What one Kafka client was assigned, each with its place in Postgres, which alone says where to go on."""

    def __init__(self, pool: asyncpg.Pool, ledger: Ledger, engine: Engine, backlog: Backlog, policy: Policy, status: Status) -> None:
        self._pool, self._ledger, self._engine, self._backlog = pool, ledger, engine, backlog
        self._policy, self._status = policy, status
        self._held: dict[TopicPartition, Held] = {}
        self._limits: dict[TopicPartition, int] = {}

    def forget(self, *partitions: TopicPartition) -> None:
        """Look these partitions up again before anything of them is applied; all of them when none is named."""
        for partition in partitions or tuple(self._held):
            self._held.pop(partition, None)

    def held(self) -> dict[TopicPartition, Held]:
        """The partitions that were taken up."""
        return dict(self._held)

    async def take_up(self, kafka: AIOKafkaConsumer, assigned: set[TopicPartition]) -> dict[TopicPartition, Exception]:
        """Find out for each of these partitions that is not held yet where it goes on, write that down, and seek there.

        Returns those for which the database or the feed did not answer; they do not keep the others from being taken up.
        """
        missing = sorted(assigned - set(self._held))
        failed: dict[TopicPartition, Exception] = {}
        if not missing:
            return failed
        firsts = await within(self._policy.kafka_seconds, kafka.beginning_offsets(missing))
        ends = await within(self._policy.kafka_seconds, kafka.end_offsets(missing))
        for partition in missing:
            count = len(kafka.partitions_for_topic(partition.topic) or ())
            try:
                held = await self._locate(partition, count, firsts[partition], ends[partition])
            except Exception as error:  # noqa: BLE001 - returned, and shown by who called
                failed[partition] = error
                continue
            # It may have been taken away while the feed or the database was asked.
            if partition in kafka.assignment():
                self._held[partition] = held
                kafka.seek(partition, held.next_offset - held.verify)
        return failed

    async def _locate(self, partition: TopicPartition, count: int, first: int, end: int) -> Held:
        new = Held(partition.topic, partition.partition, 0, 0, None, partitions=count)
        async with borrowed(self._pool, self._policy.transaction_seconds) as db:
            stored = await self._ledger.held(db, partition.topic, partition.partition)
        if stored is not None:
            stored = replace(stored, partitions=count)
        return await self._arrive(stored or new, begin(new, stored, first=first, end=end, start=self._policy.start))

    async def apply(self, partition: TopicPartition, records: Sequence[Record]) -> None:
        """Apply the records of one partition, in whole transactions. Raises transient errors, and `Moved` when they are not the next ones.

        A batch that took longer than a transaction may is halved the next time, so that a slow database is not asked the same for ever.
        """
        held = self._held.get(partition)
        if held is None:
            raise Moved(f"{partition} was not taken up")
        if held.verify and records[0].offset == held.next_offset - 1:
            if digest(records[0].value) != held.last_digest:
                await self._arrive(held, remade(held, 0))
                raise Moved(f"{partition} was made anew")
            records = records[1:]
        held.verify = False
        if not records:
            return
        if records[0].offset != held.next_offset:
            raise Moved(f"{partition} gave {records[0].offset} where {held.next_offset} was due")
        limit = self._limits.get(partition, len(records))
        try:
            for start in range(0, len(records), limit):
                held = await self._run(partition, held, records[start : start + limit])
        except TimeoutError:
            self._limits[partition] = max(1, limit // 2)
            raise
        self._limits.pop(partition, None)

    async def _run(self, partition: TopicPartition, held: Held, records: Sequence[Record]) -> Held:
        arrivals = [arrival(Place(held.topic_epoch, held.partition, record.offset), record.value) for record in records]
        positions = (came.envelope.globalposition or 0 for came in arrivals if came.envelope is not None)
        after = replace(
            held,
            next_offset=records[-1].offset + 1,
            last_digest=digest(records[-1].value),
            last_position=max((held.last_position, *positions)),
        )
        await self._engine.run(Work(held, arrivals, after))
        if self._held.get(partition) is held:
            self._held[partition] = after
        return after

    async def tend(self) -> None:
        """Try again what was put aside of these partitions and may come back. Nearly always nothing was, and that is one question."""
        self._status.parked = await self._backlog.count()
        if not self._status.parked:
            return
        for partition in tuple(self._held):
            if (held := self._held.get(partition)) is not None:
                with contextlib.suppress(Moved):
                    # The partition went to another member meanwhile, or its topic was made anew.
                    await self._backlog.tend(held)
        self._status.parked = await self._backlog.count()

    async def _arrive(self, stored: Held, found: Beginning) -> Held:
        held = found.held
        if found.remade:
            self._status.remade_topics += 1
            _log.warning("%s-%d was made anew: it is read from its start, in epoch %d", held.source, held.partition, held.topic_epoch)
        if found.gap:
            async with borrowed(self._pool, self._policy.transaction_seconds) as db:
                await self._ledger.place(db, stored)
            filled = await self._backlog.fill(stored)
            self._status.retention_gaps += 1
            _log.warning("%s-%d lost what was below offset %d before it was read", held.source, held.partition, held.next_offset)
            held = replace(held, last_position=filled.last_position, declared=filled.declared)
        async with borrowed(self._pool, self._policy.transaction_seconds) as db:
            await self._ledger.place(db, held)
        return held
