"""The event store on PostgreSQL: reads from a pool, writes through the one writer of the process."""

import json
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from shared.sealing import Cipher, derive_key
from shared.store.batch import Transaction, lock_name, unknown
from shared.store.contract import View
from shared.store.log import COLUMNS, positioned
from shared.store.records import Answered, Done, Idempotency, Positioned, Write
from shared.store.subjects import SubjectKeys
from shared.store.writer import Refusals, Writer
from shared.wake import Wake

_TOP_UP = f"SELECT {COLUMNS} FROM es.events WHERE stream_id = $1 AND version > $2 AND version <= $3 ORDER BY version"
_TOP_UP_MANY = f"""
SELECT e.* FROM unnest($1::text[], $2::int[]) AS want (id, after)
CROSS JOIN LATERAL (SELECT {COLUMNS} FROM es.events WHERE stream_id = want.id AND version > want.after AND version <= $3 ORDER BY version) e
"""
_ANSWERED = "SELECT body_hmac, response, created_at FROM es.commands WHERE scope = $1 AND idempotency_key = $2"
_AT_ONCE = 5_000
_FORGET = f"""
WITH gone AS (DELETE FROM es.commands WHERE (scope, idempotency_key) IN (
    SELECT scope, idempotency_key FROM es.commands WHERE created_at < now() - interval '24 hours' LIMIT {_AT_ONCE}) RETURNING 1)
SELECT count(*) FROM gone
"""
_LOST = "SELECT stream_id, max(public_version) FROM es.lost GROUP BY stream_id"
_NEWEST = 2**31 - 1


class PostgresStore:
    """See Store. Build it with `open_store`."""

    def __init__(self, pool: asyncpg.Pool, writer: Writer, subjects: SubjectKeys, lost: Mapping[str, int]) -> None:
        self._pool, self._writer, self._subjects, self.lost = pool, writer, subjects, lost

    async def since(self, versions: Mapping[str, int], *, up_to: int | None = None) -> Sequence[Positioned]:
        """See Store.since."""
        last = _NEWEST if up_to is None else up_to
        if len(versions) == 1:
            [(stream_id, version)] = versions.items()
            rows = await self._pool.fetch(_TOP_UP, stream_id, version, last)
        else:
            rows = await self._pool.fetch(_TOP_UP_MANY, list(versions), list(versions.values()), last)
        return [positioned(row) for row in rows]

    async def append(self, write: Write) -> None:
        """See Store.append."""
        await self._writer.write(write)
        if write.shreds:
            self._subjects.forget(write.shreds)

    async def answered(self, idempotency: Idempotency, *, wait: bool = False) -> Answered | None:
        """See Store.answered."""
        if not wait:
            return _answered(await self._pool.fetchrow(_ANSWERED, idempotency.scope, idempotency.key))
        await self._writer.in_flight(idempotency)
        async with self._pool.acquire() as db, db.transaction():
            await db.execute("SELECT pg_advisory_xact_lock(hashtextextended($1, 1702258030))", lock_name(idempotency))
            return _answered(await db.fetchrow(_ANSWERED, idempotency.scope, idempotency.key))

    async def ciphers(self, subjects: Collection[str]) -> Mapping[str, Cipher | None]:
        """See Store.ciphers."""
        return await self._subjects.ciphers(subjects)

    def mint(self) -> tuple[Cipher, bytes]:
        """See Store.mint."""
        return self._subjects.mint()


async def forget_answers(pool: asyncpg.Pool) -> None:
    """Delete what was answered to an Idempotency-Key more than 24 hours ago; the key may then be used for something else."""
    while await pool.fetchval(_FORGET) == _AT_ONCE:
        pass


async def unwritable(pool: asyncpg.Pool, views: Sequence[View]) -> str | None:
    """For readiness: why a release with these views refuses every command here, None when it does not. Raises what the database raises."""
    return unknown(views, {row[0]: row[1] for row in await pool.fetch("SELECT projection, shape FROM es.active")})


def _answered(row: asyncpg.Record | None) -> Answered | None:
    if row is None:
        return None
    response = json.loads(row["response"])
    streams = tuple((stream_id, version, public) for stream_id, version, public in response["streams"])
    return Answered(row["body_hmac"], Done(streams, response["note"], row["created_at"]))


@dataclass(frozen=True)
class StoreSettings:
    """What a store is opened with: the application role's address, the service's master key, and the most pooled connections.

    `transaction_seconds` bounds an append on the server: one that waits longer for a lock is rolled back.
    """

    database_url: str
    master_key: bytes
    pool_size: int = 8
    transaction_seconds: float = 1.0


async def create_pool(url: str, size: int = 8, /, **settings: str) -> asyncpg.Pool:
    """A pool of sessions with these settings, for what sets nothing itself, so that there is nothing to undo: asyncpg would send a
    `RESET ALL` after each query, a third of its cost. A transaction that was left open is rolled back all the same."""
    return await asyncpg.create_pool(url, min_size=1, max_size=size, command_timeout=30, timeout=5, reset=_leave, server_settings=settings)


async def _leave(_db: asyncpg.Connection) -> None:
    pass


@asynccontextmanager
async def open_store(
    settings: StoreSettings, views: Sequence[View], refusals: Refusals, wake: Wake
) -> AsyncIterator[tuple[PostgresStore, asyncpg.Pool]]:
    """The store and the pool it reads from, closed together: what waits to be written is written first."""

    async def connect() -> asyncpg.Connection:
        limit = {"transaction_timeout": str(int(settings.transaction_seconds * 1000)), "application_name": "writer"}
        return await asyncpg.connect(settings.database_url, timeout=5, server_settings=limit)

    pool = await create_pool(settings.database_url, settings.pool_size)
    try:
        transaction = Transaction(views, mail_cipher(settings.master_key))
        async with Writer(connect, transaction, refusals, wake) as writer:
            lost = {row[0]: row[1] for row in await pool.fetch(_LOST)}  # which only grows while no service runs
            yield PostgresStore(pool, writer, SubjectKeys(pool, settings.master_key), lost), pool
    finally:
        await pool.close()


def mail_cipher(master: bytes) -> Cipher:
    """What mails in the outbox are sealed with."""
    return Cipher(derive_key(master, "mail-outbox"))
