"""The least that commit → Kafka takes here: woken, one read, one send, the answer awaited; no fence, no cursor, no order, nothing repaired.

`python -m benchmarks.plain <database> <kafka> <valkey>`: what a publisher in Python without any of our promises takes, beside our relay.
"""

import asyncio
import sys

import asyncpg
import uvloop
from aiokafka import AIOKafkaProducer
from latchkey.topics import Topic

from benchmarks.relaying import CHANNEL
from shared.wake import RedisWake

TOPIC = Topic("bench.plain", 12, {"cleanup.policy": "delete"})
_LATE = 500
"""Positions that are looked at once more: a smaller one can become visible after a larger, and a fence is what is left out here."""


async def main(database_url: str, bootstrap: str, redis_url: str) -> None:
    """Publish what is appended from now on, until ended."""
    db = await asyncpg.connect(database_url)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    high = await db.fetchval("SELECT max(position) FROM es.relay")  # begins where our relay stopped
    start, sent = high, set[int]()
    async with RedisWake(redis_url, CHANNEL) as wake:
        while True:
            await wake.wait(0.2)
            rows = await db.fetch(
                "SELECT position, stream_id, public FROM es.events WHERE position > $1 ORDER BY position", max(start, high - _LATE)
            )
            new = [row for row in rows if row[0] not in sent]
            await asyncio.gather(*[await producer.send(TOPIC.name, public, key=stream.encode()) for _, stream, public in new])
            sent = {row[0] for row in rows}
            high = max(sent, default=high)


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
