"""A program that knows Kafka and the client package, and nothing else of Latchkey."""

import asyncio
from collections import Counter

from aiokafka import AIOKafkaConsumer
from latchkey.envelope import Envelope, decode
from latchkey.topics import TOPICS

from demo.story import Story

_QUIET = 1.0  # seconds without a record after which everything published has been seen
_SHOWN_ONCE = "metrics.TransactionRecorded.v1"


async def read_all(bootstrap: str, tenant: str) -> list[Envelope]:
    """Every public event of one tenant that Kafka holds, in the order in which things happened."""
    topics = [topic.name for topic in TOPICS if not topic.compacted]
    consumer = AIOKafkaConsumer(*topics, bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    found: list[Envelope] = []
    try:
        while records := await consumer.getmany(timeout_ms=int(_QUIET * 1000), max_records=2000):
            found += [decode(record.value) for part in records.values() for record in part if record.value]
    finally:
        await asyncio.wait_for(consumer.stop(), 10)
    return sorted((event for event in found if event.tenant == tenant), key=lambda event: event.time)


def tell(story: Story, events: list[Envelope]) -> None:
    """One line an event; the transactions are one line together."""
    counts = Counter(event.type for event in events)
    told = False
    for event in events:
        if event.type != _SHOWN_ONCE:
            story.say(f"{event.time:%H:%M:%S.%f}  {event.type:<36} {event.id}")
        elif not told:
            story.say(f"{event.time:%H:%M:%S.%f}  {event.type:<36} × {counts[event.type]:,}")
            told = True
