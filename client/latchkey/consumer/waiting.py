"""Reading what was just written elsewhere: wait until a consumer's rows hold a version of a stream."""

import asyncio
import time

import asyncpg

from latchkey.consumer.tables import checked_schema

_FIRST, _LONGEST = 0.002, 0.05


async def is_parked(
    pool: asyncpg.Pool, projection: str, stream_id: str, version: int, *, projection_version: int = 1, schema: str = "latchkey"
) -> bool:
    """Whether the projection put this version of the stream aside, or one before it: then it does not get there by itself."""
    query = (
        f"SELECT EXISTS (SELECT FROM {checked_schema(schema)}.parked "
        "WHERE projection = $1 AND version = $2 AND stream_id = $3 AND stream_version <= $4)"
    )
    return bool(await pool.fetchval(query, projection, projection_version, stream_id, version))


async def wait_for(
    pool: asyncpg.Pool,
    projection: str,
    stream_id: str,
    version: int,
    wait_seconds: float,
    *,
    projection_version: int = 1,
    schema: str = "latchkey",
) -> bool:
    """Wait until the projection has applied `version` of the stream; false when it has not within `wait_seconds`.

    Works from any process that shares the consumer's database. A stream that was put aside does not get there.
    """
    deadline = time.monotonic() + wait_seconds
    pause = _FIRST
    query = f"SELECT last_version FROM {checked_schema(schema)}.seen WHERE projection = $1 AND version = $2 AND stream_id = $3"
    while True:
        last = await pool.fetchval(query, projection, projection_version, stream_id)
        if last is not None and last >= version:
            return True
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        await asyncio.sleep(min(pause, left))
        pause = min(pause * 2, _LONGEST)
