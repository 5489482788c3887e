"""What an operator can do with records that were put aside. The running consumer carries it out, within a second."""

from dataclasses import dataclass
from datetime import datetime

import asyncpg

from latchkey.consumer.plan import Place
from latchkey.consumer.tables import checked_schema


@dataclass(frozen=True, slots=True)
class ParkedRecord:
    """One record that was put aside, as an operator sees it; `size` in bytes is `None` when the record was too large to keep."""

    source: str
    place: Place
    stream_id: str | None
    stream_version: int | None
    reason: str
    error: str
    attempts: int
    wanted: bool
    first_at: datetime
    size: int | None


class NotParkedError(LookupError):
    """No such record is put aside, or it was not kept and cannot be tried again."""


async def parked_list(
    db: asyncpg.Connection, name: str, version: int = 1, *, schema: str = "latchkey", limit: int = 100
) -> list[ParkedRecord]:
    """The records that were put aside, by stream and version, those without a stream first."""
    rows = await db.fetch(
        f'SELECT source, topic_epoch, partition, "offset", stream_id, stream_version, reason, error, attempts, wanted, first_at, '
        f"octet_length(raw) FROM {checked_schema(schema)}.parked WHERE projection = $1 AND version = $2 "
        "ORDER BY stream_id NULLS FIRST, stream_version, first_at LIMIT $3",
        *(name, version, limit),
    )
    return [ParkedRecord(row[0], Place(*row[1:4]), *row[4:]) for row in rows]


async def parked_retry(
    db: asyncpg.Connection,
    name: str,
    source: str,
    place: Place,
    *,
    version: int = 1,
    schema: str = "latchkey",
    without_missing: bool = False,
) -> None:
    """Ask for another try of this record and of those behind it in its stream. With `without_missing` the versions before the
    first of them are given up. Raises `NotParkedError`.
    """
    schema = checked_schema(schema)
    async with db.transaction():
        row = await db.fetchrow(
            f"UPDATE {schema}.parked SET wanted = true WHERE projection = $1 AND version = $2 AND source = $3 "
            'AND (topic_epoch, partition, "offset") = ($4, $5, $6) AND raw IS NOT NULL RETURNING stream_id',
            *(name, version, source, *place),
        )
        if row is None:
            raise NotParkedError(f"nothing that can be tried again lies at {source} {tuple(place)}")
        if without_missing and row[0] is not None:
            await db.execute(
                f"INSERT INTO {schema}.seen AS s (projection, version, stream_id, last_version) "
                f"SELECT $1, $2, $3, min(stream_version) - 1 FROM {schema}.parked "
                "WHERE projection = $1 AND version = $2 AND stream_id = $3 "
                "ON CONFLICT (projection, version, stream_id) DO UPDATE SET last_version = greatest(s.last_version, excluded.last_version)",
                *(name, version, row[0]),
            )


async def parked_discard(
    db: asyncpg.Connection, name: str, source: str, place: Place, *, version: int = 1, schema: str = "latchkey"
) -> None:
    """Give this record up. When it was the first of its stream, its version counts as dealt with and those behind it are tried.

    Raises `NotParkedError`, also for one that waits for a missing version: `parked_retry` can give that up.
    """
    schema = checked_schema(schema)
    async with db.transaction():
        row = await db.fetchrow(
            f"DELETE FROM {schema}.parked p WHERE projection = $1 AND version = $2 AND source = $3 "
            'AND (topic_epoch, partition, "offset") = ($4, $5, $6) RETURNING stream_id, stream_version, reason, '
            f"(SELECT last_version FROM {schema}.seen s WHERE (s.projection, s.version, s.stream_id) = ($1, $2, p.stream_id))",
            *(name, version, source, *place),
        )
        if row is None:
            raise NotParkedError(f"nothing lies at {source} {tuple(place)}")
        stream_id, stream_version, reason, last_version = row
        first = await db.fetchval(
            f"SELECT min(stream_version) FROM {schema}.parked WHERE projection = $1 AND version = $2 AND stream_id = $3",
            *(name, version, stream_id),
        )
        if stream_id is None or (first is not None and first < stream_version):
            return
        if reason == "gap" and last_version != stream_version - 1:
            raise NotParkedError(f"versions of {stream_id} before {stream_version} are missing: retry it with --without-missing")
        await db.execute(
            f"INSERT INTO {schema}.seen AS s (projection, version, stream_id, last_version) VALUES ($1, $2, $3, $4) "
            "ON CONFLICT (projection, version, stream_id) DO UPDATE SET last_version = greatest(s.last_version, excluded.last_version)",
            *(name, version, stream_id, stream_version),
        )
        await db.execute(
            f"UPDATE {schema}.parked SET wanted = true WHERE projection = $1 AND version = $2 AND stream_id = $3 AND stream_version = $4",
            *(name, version, stream_id, first),
        )
