"""The consumer's tables: making them, borrowing a connection to them, and telling them where a snapshot ended."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib import resources
from typing import cast

import asyncpg

_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]{0,62}")


def checked_schema(schema: str) -> str:
    """The name itself when it can stand in SQL unquoted. Raises `ValueError`."""
    if _IDENTIFIER.fullmatch(schema) is None:
        raise ValueError(f"{schema!r} is no plain name of a schema")
    return schema


@asynccontextmanager
async def borrowed(pool: asyncpg.Pool, seconds: float) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the pool, to be given back within `seconds`. Raises `TimeoutError`."""
    async with asyncio.timeout(seconds), pool.acquire() as db:
        # The pool's proxy has every method of a connection; only its type does not say so.
        yield cast("asyncpg.Connection", db)


async def install(db: asyncpg.Connection, schema: str = "latchkey") -> None:
    """Create the consumer's tables where they are missing; running it again changes nothing. Needs the right to create."""
    text = resources.files("latchkey.consumer").joinpath("tables.sql").read_text(encoding="utf-8")
    async with db.transaction():
        # Two installations at once would otherwise both find the schema missing.
        await db.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 0))", f"latchkey.install.{schema}")
        await db.execute(text.replace("{schema}", checked_schema(schema)))


async def begin_from(db: asyncpg.Connection, name: str, versions: Mapping[str, int], *, version: int = 1, schema: str = "latchkey") -> None:
    """Tell a consumer that its rows already hold these versions of these streams, because they came from a snapshot.

    Call it in the transaction that writes the rows, before the consumer first runs, and give it `Policy(began_from_snapshot=True)`.
    """
    await db.execute(
        f"INSERT INTO {checked_schema(schema)}.seen AS s (projection, version, stream_id, last_version) "
        "SELECT $1, $2, u.stream_id, u.last_version FROM unnest($3::text[], $4::bigint[]) AS u (stream_id, last_version) "
        "ON CONFLICT (projection, version, stream_id) DO UPDATE SET last_version = greatest(s.last_version, excluded.last_version)",
        *(name, version, sorted(versions), [versions[stream] for stream in sorted(versions)]),
    )
