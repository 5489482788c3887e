"""Events whose commits come out of the order of their positions: a reader that follows positions alone misses some, the relay none."""

import asyncio
import json
import random

import asyncpg
import pytest
from latchkey.topics import REGISTRY_APP_EVENTS

from shared.store.fence import fence
from stack.databases import Database
from stack.testing import RealStack
from tests.shared.relay.harness import records, relaying
from tests.shared.until import until

pytestmark = pytest.mark.stack
WRITERS, EVENTS = 12, 40
_INSERT = """
INSERT INTO es.events (stream_type, stream_id, version, type, schema_version, data, public, public_type, public_version, hash, meta,
    recorded_at)
VALUES ('jar', $1, $2, 'toy.Filled', 1, '{}', $3, 'registry.AppDisabled.v1', $2, '', '{"actor": "a", "tenant": "t"}', now())
"""


async def dawdle(database: Database, stream: str, seed: int) -> None:
    """Append as the store does, but take long between drawing a position and committing."""
    dice = random.Random(seed)  # noqa: S311  # how long a writer dawdles is no secret
    db = await asyncpg.connect(database.app)
    try:
        for version in range(1, EVENTS + 1):
            async with db.transaction():
                await db.fetch("SELECT * FROM es.begin_append()")
                await db.execute(_INSERT, stream, version, json.dumps({"streamversion": version}).encode())
                await asyncio.sleep(dice.random() * 0.02)
    finally:
        await db.close()


async def follow(database: Database, *, fenced: bool, stop: asyncio.Event) -> int:
    """Read the log by position until everybody has written; answers how many events were seen."""
    db = await asyncpg.connect(database.app)
    seen = after = 0
    try:
        while True:
            last_round = stop.is_set()
            high = (await fence(db)).high if fenced else await db.fetchval("SELECT max(position) FROM es.events") or 0
            rows = await db.fetch("SELECT position FROM es.events WHERE position > $1 AND position <= $2", after, high)
            seen, after = seen + len(rows), max(after, high)
            if last_round:
                return seen
            await asyncio.sleep(0.001)
    finally:
        await db.close()


async def test_the_fence_misses_nothing_where_an_unfenced_reader_does(database: Database, stack: RealStack) -> None:
    stop = asyncio.Event()
    naive = asyncio.create_task(follow(database, fenced=False, stop=stop))
    fenced = asyncio.create_task(follow(database, fenced=True, stop=stop))
    async with relaying(database, stack.bootstrap):
        await asyncio.gather(*(dawdle(database, f"{database.name}_{n}", n) for n in range(WRITERS)))
        stop.set()
        assert await fenced == WRITERS * EVENTS
        assert await naive < WRITERS * EVENTS, "the writers were not slow enough to show what the fence is for"

        async def complete() -> bool:
            return len(await records(stack.bootstrap, REGISTRY_APP_EVENTS, database.name)) == WRITERS * EVENTS

        await until(complete, 15)
    versions: dict[str, list[int]] = {}
    for record in await records(stack.bootstrap, REGISTRY_APP_EVENTS, database.name):
        versions.setdefault(record.key, []).append(json.loads(record.value or b"")["streamversion"])
    assert versions == {f"{database.name}_{n}": list(range(1, EVENTS + 1)) for n in range(WRITERS)}
