"""A publisher for the consumer's tests: envelopes as registry would send them, on a topic of the test's own."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.records_to_delete import RecordsToDelete
from latchkey.envelope import encode, splice
from latchkey.events.registry import AppDisabled
from latchkey.partitioning import partition_of

PARTITIONS = 2


def envelope(stream: str, version: int, *, position: int | None = None, **changed: Any) -> bytes:
    """The bytes of version `version` of an app's stream; `changed` replaces attributes of the envelope."""
    frozen = encode(
        AppDisabled(app_id=stream, owner_id="acc_1"),
        source="/registry",
        stream_id=stream,
        streamversion=version,
        time=datetime(2026, 11, 23, tzinfo=UTC),
        tenant="acc_1",
        correlation_id="req_1",
        causation_id=None,
        traceparent=None,
    )
    raw = splice(frozen, version if position is None else position)
    return json.dumps(json.loads(raw) | changed).encode() if changed else raw


class Publisher:
    """Sends to one topic, which it makes."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self.bootstrap, self.topic = bootstrap, topic
        self._admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
        self._producer = AIOKafkaProducer(
            bootstrap_servers=bootstrap, acks="all", enable_idempotence=False, max_request_size=8_000_000, linger_ms=0
        )

    async def start(self) -> None:
        await self._admin.start()
        await self._producer.start()
        await self.create()

    async def stop(self) -> None:
        await self._producer.stop()
        await self._admin.close()

    async def create(self) -> None:
        await self._admin.create_topics([NewTopic(self.topic, PARTITIONS, 1, topic_configs={"max.message.bytes": "8000000"})])

    async def delete(self) -> None:
        await self._admin.delete_topics([self.topic])

    async def send(self, stream: str, *versions: int, **changed: Any) -> None:
        for version in versions:
            await self.send_raw(stream, envelope(stream, version, **changed))

    async def send_raw(self, stream: str, raw: bytes | None) -> None:
        await self._producer.send_and_wait(self.topic, raw, key=stream.encode(), partition=partition_of(stream, PARTITIONS))

    async def send_all(self, items: Iterable[tuple[str, int]]) -> None:
        """Many at once; the order within a partition is kept."""
        futures = [
            await self._producer.send(
                self.topic, envelope(stream, version), key=stream.encode(), partition=partition_of(stream, PARTITIONS)
            )
            for stream, version in items
        ]
        for future in futures:
            await future

    async def forget_before(self, offset: int) -> None:
        """Delete the records below `offset` in every partition, as retention does."""
        for partition in range(PARTITIONS):
            await self._admin.delete_records({TopicPartition(self.topic, partition): RecordsToDelete(before_offset=offset)})
