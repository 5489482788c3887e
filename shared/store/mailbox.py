"""The reading side of the mail outbox: a mail is claimed, sent, and its row deleted; one that could not be sent is due again later."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from shared.sealing import Cipher
from shared.store.records import Mail

# `created_at` is when a mail is due: at first when it was written.
_CLAIM = """
SELECT id, to_enc, body_enc FROM es.mail_outbox WHERE created_at <= clock_timestamp() ORDER BY created_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
"""
_LATER = "UPDATE es.mail_outbox SET created_at = clock_timestamp() + $2::float8 * interval '1 second' WHERE id = $1"
_SENT = "DELETE FROM es.mail_outbox WHERE id = $1"


class Mailbox:
    """Hands out waiting mails one at a time. Several workers may share it: a claimed row is skipped by the others."""

    def __init__(self, pool: asyncpg.Pool, cipher: Cipher) -> None:
        self._pool, self._cipher = pool, cipher

    @asynccontextmanager
    async def next(self) -> AsyncIterator[Mail | None]:
        """The unclaimed mail that is due longest, or None. Leaving the block normally deletes it; an exception leaves it waiting.

        A crash after sending and before the delete sends the mail twice: at least once, as with everything that leaves the database.
        """
        async with self._pool.acquire() as db, db.transaction():
            row = await db.fetchrow(_CLAIM)
            if row is None:
                yield None
                return
            subject, body = json.loads(self._cipher.open(row["body_enc"], f"{row['id']}/body"))
            yield Mail(row["id"], self._cipher.open(row["to_enc"], f"{row['id']}/to").decode(), subject, body)
            await db.execute(_SENT, row["id"])

    async def postpone(self, mail_id: str, seconds: float) -> None:
        """Keep a mail for so long, and behind all that are due then: one that nobody takes holds up none that somebody would."""
        await self._pool.execute(_LATER, mail_id, seconds)
