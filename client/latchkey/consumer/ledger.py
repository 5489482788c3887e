"""The consumer's own rows in the database it writes to: checkpoints, versions seen, records put aside. SQL and nothing else."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import asyncpg

from latchkey.consumer.faults import Moved
from latchkey.consumer.plan import Parking, Place
from latchkey.consumer.reading import digest
from latchkey.consumer.tables import begin_from, checked_schema


@dataclass(slots=True)
class Held:
    """One partition as this consumer knows it: `next_offset` is the first record whose effect is not committed."""

    source: str
    partition: int
    topic_epoch: int
    next_offset: int
    last_digest: bytes | None
    last_position: int = 0
    declared: bool = False
    partitions: int = 12
    verify: bool = False
    """The first record to come is the one before `next_offset`, and must have `last_digest`."""


class Waiting(NamedTuple):
    """A record that was put aside: `wanted` by an operator, or a `gap` that the missing version would close."""

    place: Place
    stream_id: str | None
    wanted: bool
    gap: bool


@dataclass(slots=True)
class Outcome:
    """What is to be written with the checkpoint: the version each stream came to, what was put aside and what came back from there."""

    versions: dict[str, int] = field(default_factory=dict)
    park: list[Parking] = field(default_factory=list)
    unpark: list[Place] = field(default_factory=list)
    failed_again: list[tuple[Place, str]] = field(default_factory=list)
    applied: int = 0


class Ledger:
    """The rows of one projection version. Every method runs in the transaction that is open on `db`."""

    def __init__(self, name: str, version: int, schema: str) -> None:
        self.name, self.version, self.schema = name, version, checked_schema(schema)

    async def held(self, db: asyncpg.Connection, source: str, partition: int) -> Held | None:
        """The partition's latest checkpoint."""
        row = await db.fetchrow(
            f"SELECT topic_epoch, next_offset, last_digest, last_position, declared FROM {self.schema}.checkpoints "
            "WHERE projection = $1 AND version = $2 AND source = $3 AND partition = $4 ORDER BY topic_epoch DESC LIMIT 1",
            *(self.name, self.version, source, partition),
        )
        return None if row is None else Held(source, partition, *row)

    async def place(self, db: asyncpg.Connection, held: Held) -> None:
        """Write where a partition begins: a first checkpoint, a new epoch, or the far side of a retention gap."""
        await db.execute(
            f"INSERT INTO {self.schema}.checkpoints AS c (projection, version, source, topic_epoch, partition, next_offset, last_digest, "
            "last_position, declared) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) "
            "ON CONFLICT (projection, version, source, topic_epoch, partition) DO UPDATE SET next_offset = excluded.next_offset, "
            "last_digest = excluded.last_digest, declared = c.declared OR excluded.declared, updated_at = now() "
            "WHERE c.next_offset < excluded.next_offset",
            *(self.name, self.version, held.source, held.topic_epoch, held.partition),
            *(held.next_offset, held.last_digest, held.last_position, held.declared),
        )

    async def enter(self, db: asyncpg.Connection, held: Held, at: int | None) -> int:
        """Lock the partition's checkpoint until the end of the transaction and answer where it is. Raises `Moved` when that is not `at`."""
        offset = await db.fetchval(
            f"SELECT next_offset FROM {self.schema}.checkpoints "
            "WHERE projection = $1 AND version = $2 AND source = $3 AND topic_epoch = $4 AND partition = $5 FOR UPDATE",
            *(self.name, self.version, held.source, held.topic_epoch, held.partition),
        )
        if offset is None or at not in {None, offset}:
            raise Moved(f"{held.source}-{held.partition} is at {offset}, not at {at}")
        return int(offset)

    async def streams(self, db: asyncpg.Connection, ids: Sequence[str]) -> tuple[dict[str, int], dict[str, dict[int, Place]]]:
        """The version seen of each stream, and where its records lie that were put aside."""
        rows = await db.fetch(
            f"SELECT stream_id, last_version, NULL::int, NULL::int, NULL::bigint FROM {self.schema}.seen "
            "WHERE projection = $1 AND version = $2 AND stream_id = ANY($3::text[]) UNION ALL "
            f'SELECT stream_id, stream_version, topic_epoch, partition, "offset" FROM {self.schema}.parked '
            "WHERE projection = $1 AND version = $2 AND stream_id = ANY($3::text[])",
            *(self.name, self.version, ids),
        )
        seen: dict[str, int] = {}
        parked: dict[str, dict[int, Place]] = {}
        for stream, version, epoch, partition, offset in rows:
            if epoch is None:
                seen[stream] = version
            else:
                parked.setdefault(stream, {})[version] = Place(epoch, partition, offset)
        return seen, parked

    async def raws(self, db: asyncpg.Connection, source: str, places: Iterable[Place]) -> Mapping[Place, bytes]:
        """The whole records that were put aside at these places."""
        epochs, partitions, offsets = _columns(places)
        rows = await db.fetch(
            f'SELECT topic_epoch, partition, "offset", raw FROM {self.schema}.parked '
            'JOIN unnest($4::int[], $5::int[], $6::bigint[]) AS w (topic_epoch, partition, "offset") '
            'USING (topic_epoch, partition, "offset") WHERE projection = $1 AND version = $2 AND source = $3 AND raw IS NOT NULL',
            *(self.name, self.version, source, epochs, partitions, offsets),
        )
        return {Place(*row[:3]): row[3] for row in rows}

    async def write(self, db: asyncpg.Connection, held: Held, outcome: Outcome, *, moves: bool) -> None:
        """Write an outcome; when it moves the partition, `held` says where that is after it."""
        key = (self.name, self.version, held.source)
        if outcome.versions:
            await begin_from(db, self.name, outcome.versions, version=self.version, schema=self.schema)
        if outcome.unpark:
            await db.execute(
                f"DELETE FROM {self.schema}.parked AS p USING unnest($4::int[], $5::int[], $6::bigint[]) AS u (epoch, part, place) "
                'WHERE (projection, version, source, topic_epoch, partition, "offset") = ($1, $2, $3, u.epoch, u.part, u.place)',
                *key,
                *_columns(outcome.unpark),
            )
        if outcome.park:
            await self._park(db, held.source, outcome.park)
        if outcome.failed_again:  # whoever asked for what lies behind in those streams has to ask again: this one stands in the way
            await db.execute(
                f"UPDATE {self.schema}.parked SET wanted = false WHERE projection = $1 AND version = $2 AND wanted AND stream_id IN ("
                f"SELECT p.stream_id FROM {self.schema}.parked p JOIN unnest($4::int[], $5::int[], $6::bigint[]) AS u (epoch, part, place) "
                "ON (p.topic_epoch, p.partition, p.offset) = (u.epoch, u.part, u.place) "
                "WHERE (p.projection, p.version, p.source) = ($1, $2, $3))",
                *key,
                *_columns(place for place, _ in outcome.failed_again),
            )
        for place, error in outcome.failed_again:
            await db.execute(
                f"UPDATE {self.schema}.parked SET attempts = attempts + 1, wanted = false, reason = 'failed', error = $7 "
                'WHERE (projection, version, source, topic_epoch, partition, "offset") = ($1, $2, $3, $4, $5, $6)',
                *(*key, *place, _sayable(error)),
            )
        if moves:
            await db.execute(
                f"UPDATE {self.schema}.checkpoints SET next_offset = $6, last_digest = $7, last_position = $8, updated_at = now() "
                "WHERE projection = $1 AND version = $2 AND source = $3 AND topic_epoch = $4 AND partition = $5",
                *(*key, held.topic_epoch, held.partition, held.next_offset, held.last_digest, held.last_position),
            )

    async def backlog(self, db: asyncpg.Connection, held: Held) -> list[Waiting]:
        """The records of this partition that may come back now, at most 1,000."""
        rows = await db.fetch(
            f'SELECT topic_epoch, partition, "offset", stream_id, wanted, reason FROM {self.schema}.parked '
            "WHERE projection = $1 AND version = $2 AND source = $3 AND partition = $4 AND (wanted OR reason = 'gap') "
            'ORDER BY wanted DESC, topic_epoch, "offset" LIMIT 1000',
            *(self.name, self.version, held.source, held.partition),
        )
        return [Waiting(Place(*row[:3]), row[3], row[4], row[3] is not None and row[5] == "gap") for row in rows]

    async def parked_count(self, db: asyncpg.Connection) -> int:
        """How many records are put aside."""
        count = await db.fetchval(
            f"SELECT count(*) FROM {self.schema}.parked WHERE projection = $1 AND version = $2", self.name, self.version
        )
        return int(count)

    async def _park(self, db: asyncpg.Connection, source: str, parkings: Sequence[Parking]) -> None:
        rows = []
        for arrival, reason, error in parkings:
            stream = (None, None) if arrival.envelope is None else (arrival.envelope.subject, arrival.envelope.streamversion)
            raw = None if reason == "too_large" else arrival.raw
            rows.append((self.name, self.version, source, *arrival.place, *stream, raw, digest(arrival.raw), reason, _sayable(error)))
        await db.executemany(
            f'INSERT INTO {self.schema}.parked AS p (projection, version, source, topic_epoch, partition, "offset", stream_id, '
            "stream_version, raw, digest, reason, error) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) "
            'ON CONFLICT (projection, version, source, topic_epoch, partition, "offset") DO UPDATE SET attempts = p.attempts + 1, '
            "wanted = false, reason = excluded.reason, error = excluded.error, stream_id = excluded.stream_id, "
            "stream_version = excluded.stream_version",
            rows,
        )


def _sayable(error: str) -> str:
    """The sentence as PostgreSQL can keep it: bounded, without NUL and without half a character."""
    return error[:2000].replace("\x00", "").encode(errors="replace").decode()


def _columns(places: Iterable[Place]) -> tuple[list[int], list[int], list[int]]:
    rows = list(places)
    return [place.topic_epoch for place in rows], [place.partition for place in rows], [place.offset for place in rows]
