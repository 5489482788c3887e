"""A consumer as a process of its own, so that a test can let it be killed: arguments are bootstrap, database, topic and group."""

import asyncio
import sys
from collections.abc import Sequence

import asyncpg
from latchkey.consumer import Consumer, Policy
from latchkey.envelope import Envelope


class Rows:
    """One row per event."""

    async def apply(self, db: asyncpg.Connection, events: Sequence[Envelope]) -> None:
        rows = [(event.subject, event.streamversion) for event in events]
        await db.executemany("INSERT INTO applied (stream_id, version) VALUES ($1, $2)", rows)


async def main(bootstrap: str, database: str, topic: str, group: str) -> None:
    """Consume until killed."""
    async with asyncpg.create_pool(database, min_size=1, max_size=4) as pool:
        policy = Policy(session_timeout_ms=60_000, heartbeat_ms=500, max_records=50)  # no test has the time to wait for it
        await Consumer(bootstrap, pool, Rows(), [topic], group, name="rows", policy=policy).run()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
