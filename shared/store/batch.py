"""One transaction for many commands: which may share it, and the statements in the one order that is safe.

The order is: shared append lock, idempotency rows, subject keys, unique values, inline views, mails, and the events last. Events last,
because a position must be drawn when every row lock is held: otherwise two commands that contend for one unique name can commit in the
opposite order of their positions, and a rebuild, which follows positions, would fail on it.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final

import asyncpg
from latchkey.failpoint import failpoint
from pydantic_core import to_json

from shared.errors import StreamMoved, SubjectErased, Unavailable
from shared.sealing import Cipher
from shared.store.contract import View
from shared.store.records import Idempotency, Row, Write

MOST_EVENTS: Final = 5_000
LOOK_AHEAD: Final = 256  # commands looked at for one batch; those behind it wait for the next
_COPIED: Final = 64  # rows from which on COPY is cheaper than an insert of arrays: 1.7 µs of ours a row for 5, less of the server too
_LOCK_SEED: Final = 1702258030

_TRY_KEYS = "SELECT k, pg_try_advisory_xact_lock(hashtextextended(k, $2)) FROM unnest($1::text[]) k"
_UNIQUE = """
SELECT CASE WHEN relied_on THEN pg_advisory_xact_lock_shared(h) ELSE pg_advisory_xact_lock(h) END FROM (
    SELECT hashtextextended(u, $3) AS h, bool_and(relied_on) AS relied_on
    FROM unnest($1::text[], $2::bool[]) AS wanted (u, relied_on) GROUP BY 1 ORDER BY 1
) s
"""
_COMMANDS = """
INSERT INTO es.commands (scope, idempotency_key, body_hmac, response, created_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[], $4::json[], $5::timestamptz[])
ON CONFLICT DO NOTHING RETURNING scope, idempotency_key
"""
_ALIVE = """
SELECT subject_id FROM es.subject_keys WHERE subject_id = ANY($1::text[]) AND shredded_at IS NULL ORDER BY subject_id FOR SHARE
"""
_MINT = """
INSERT INTO es.subject_keys (subject_id, wrapped_key, created_at)
SELECT id, key, now() FROM unnest($1::text[], $2::bytea[]) AS new (id, key) ORDER BY id
"""
_SHRED = """
INSERT INTO es.subject_keys (subject_id, created_at, shredded_at) SELECT id, now(), now() FROM unnest($1::text[]) id ORDER BY id
ON CONFLICT (subject_id) DO UPDATE SET wrapped_key = NULL, shredded_at = coalesce(es.subject_keys.shredded_at, excluded.shredded_at)
"""
_MOVED = (
    "SELECT EXISTS (SELECT FROM es.events e JOIN unnest($1::text[], $2::int[]) AS w (id, at) ON e.stream_id = w.id AND e.version > w.at)"
)
_MAIL = "INSERT INTO es.mail_outbox (id, to_enc, body_enc, created_at) SELECT *, now() FROM unnest($1::text[], $2::bytea[], $3::bytea[])"
_EVENTS = """
INSERT INTO es.events (stream_type, stream_id, version, type, schema_version, data, public, public_type, public_version, states, hash,
    meta, recorded_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::int[], $4::text[], $5::smallint[], $6::json[], $7::bytea[], $8::text[], $9::int[],
    $10::jsonb[], $11::bytea[], $12::json[], $13::timestamptz[])
"""


class UnknownViewVersion(Unavailable):
    """A rebuild switched to a version that this release cannot write: it must not write at all."""

    code = "service.view_unknown"


def unknown(views: Sequence[View], shapes: Mapping[str, int]) -> str | None:
    """Why a release with these views must not write where the active ones have these shapes; None when it may."""
    known = {view.name: view.shape for view in views}
    if unmade := known.keys() - shapes.keys():
        return f"no table yet for {', '.join(sorted(unmade))}: run the migrations"
    return next((f"{name} has shape {shape}, unknown to this release" for name, shape in shapes.items() if known.get(name) != shape), None)


@dataclass
class Outcome:
    """Which of a batch's writes took part; the rest were committed before (`duplicates`) or wait for another process (`busy`)."""

    taking_part: list[Write] = field(default_factory=list)
    duplicates: list[Write] = field(default_factory=list)
    busy: list[Write] = field(default_factory=list)


def lock_name(idempotency: Idempotency) -> str:
    """What an append locks while a command with this Idempotency-Key is under way."""
    return f"key:{idempotency.scope}\x1f{idempotency.key}"


def choose(waiting: Iterable[Write]) -> list[Write]:
    """The writes, in order, that may share a transaction: no two change one stream, one Idempotency-Key, one unique value or one subject
    being minted or shredded, nor does one rely on what another changes; 5,000 events at most, but always the first."""
    taken: set[str] = set()
    relied: set[str] = set()
    chosen: list[Write] = []
    events = 0
    for seen, write in enumerate(waiting):
        if seen >= LOOK_AHEAD:
            break
        wants, relies = _touched(write)
        too_many = bool(chosen) and events + len(write.rows) > MOST_EVENTS
        if not too_many and taken.isdisjoint(wants) and taken.isdisjoint(relies) and relied.isdisjoint(wants):
            chosen.append(write)
            events += len(write.rows)
        taken |= wants  # also for one that waits: those behind it must not overtake it
        relied |= relies
    return chosen


def _touched(write: Write) -> tuple[set[str], set[str]]:
    """What a write changes, and what must stay as it is meanwhile."""
    written = {row.stream_id for row in write.rows}
    wants = {f"stream:{stream}" for stream in written} | {f"unique:{value}" for value in write.unique}
    wants |= {f"mint:{subject}" for subject in write.mints} | {f"shred:{subject}" for subject in write.shreds}
    if write.idempotency:
        wants.add(lock_name(write.idempotency))
    relies = {f"stream:{stream}" for stream in write.heads if stream not in written} | {f"unique:{value}" for value in write.relies}
    return wants, relies | {f"shred:{subject}" for subject in write.needs}


class Transaction:
    """The statements of one batch, from after BEGIN to before COMMIT."""

    def __init__(self, views: Sequence[View], mail_cipher: Cipher) -> None:
        self._views, self._mail_cipher = views, mail_cipher

    async def begin(self, db: asyncpg.Connection) -> tuple[str, Mapping[str, tuple[int, int]]]:
        """Take the shared lock; answer the transaction's id and the active version and shape of each view."""
        [(xid, active)] = await db.fetch("SELECT xid, active FROM es.begin_append()")
        return xid, json.loads(active)

    async def fill(self, db: asyncpg.Connection, batch: Sequence[Write], active: Mapping[str, tuple[int, int]]) -> Outcome:
        """Write everything of the batch. Raises what the database raises; then nothing of it may be committed."""
        outcome = await _claim_keys(db, batch)
        writes = outcome.taking_part
        if not writes:
            return outcome
        await _subjects(db, writes)
        await _values(db, writes)
        await _relied_on(db, writes)
        await self._apply(db, writes, active)
        await self._mails(db, writes)
        rows = sorted((row for write in writes for row in write.rows), key=attrgetter("stream_id", "version"))
        if len(rows) >= _COPIED:
            await db.copy_records_to_table("events", schema_name="es", columns=Row._fields, records=rows)
        elif rows:
            await db.execute(_EVENTS, *map(list, zip(*rows, strict=True)))
        failpoint("append.before_commit")
        return outcome

    async def _apply(self, db: asyncpg.Connection, writes: Sequence[Write], active: Mapping[str, tuple[int, int]]) -> None:
        recorded = sorted((event for write in writes for event in write.recorded), key=attrgetter("stream_id", "version"))
        if not recorded:
            return
        if reason := unknown(self._views, {name: shape for name, (_, shape) in active.items()}):
            raise UnknownViewVersion(reason)
        for view in self._views:
            await view.apply(db, f"_v{active[view.name][0]}", recorded)

    async def _mails(self, db: asyncpg.Connection, writes: Sequence[Write]) -> None:
        mails = [mail for write in writes for mail in write.mails]
        if mails:
            to = [self._mail_cipher.seal(mail.to.encode(), f"{mail.id}/to") for mail in mails]
            bodies = [self._mail_cipher.seal(to_json([mail.subject, mail.body]), f"{mail.id}/body") for mail in mails]
            await db.execute(_MAIL, [mail.id for mail in mails], to, bodies)


async def _claim_keys(db: asyncpg.Connection, batch: Sequence[Write]) -> Outcome:
    keyed = {lock_name(write.idempotency): write for write in batch if write.idempotency}
    if not keyed:
        return Outcome(list(batch))
    got = {name for name, locked in await db.fetch(_TRY_KEYS, list(keyed), _LOCK_SEED) if locked}
    rows = [_command(write) for name, write in keyed.items() if name in got]
    inserted: set[tuple[Any, ...]] = set()
    if rows:
        inserted = {tuple(found) for found in await db.fetch(_COMMANDS, *map(list, zip(*rows, strict=True)))}
    outcome = Outcome()
    for write in batch:
        key = write.idempotency
        if key is None or (key.scope, key.key) in inserted:
            outcome.taking_part.append(write)
        elif lock_name(key) in got:
            outcome.duplicates.append(write)
        else:
            outcome.busy.append(write)
    return outcome


def _command(write: Write) -> tuple[Any, ...]:
    key, done = write.idempotency, write.done
    if key is None or done is None:
        raise ValueError("a keyed write says what it has done")
    response = to_json({"streams": done.streams, "note": done.note}).decode()
    return key.scope, key.key, key.body_hmac, response, done.at


async def _values(db: asyncpg.Connection, writes: Sequence[Write]) -> None:
    """Lock each value alone for whoever takes it or gives it up, together with others for those that rely on it."""
    named = [(f"unique:{value}", False) for write in writes for value in write.unique]
    named += [(f"unique:{value}", True) for write in writes for value in write.relies]
    if named:
        await db.execute(_UNIQUE, *map(list, zip(*named, strict=True)), _LOCK_SEED)


async def _relied_on(db: asyncpg.Connection, writes: Sequence[Write]) -> None:
    """The streams that were decided on and get no row, whose version no constraint looks at. After the locks on unique values, so that
    whoever changes what this decision relied on, and names the same value, is done or has to wait."""
    written = {row.stream_id for write in writes for row in write.rows}
    relied = {head for write in writes for head in write.heads.items() if head[0] not in written}
    if relied and await db.fetchval(_MOVED, *map(list, zip(*relied, strict=True))):
        raise StreamMoved


async def _subjects(db: asyncpg.Connection, writes: Sequence[Write]) -> None:
    needs = {subject for write in writes for subject in write.needs}
    if needs:
        alive = {row[0] for row in await db.fetch(_ALIVE, sorted(needs))}
        if needs - alive:
            raise SubjectErased
    mints = {subject: key for write in writes for subject, key in write.mints.items()}
    if mints:
        await db.execute(_MINT, list(mints), list(mints.values()))
    shreds = sorted({subject for write in writes for subject in write.shreds})
    if shreds:
        await db.execute(_SHRED, shreds)
