"""The inline view of all rings with their pairs: written in the append's transaction, by the same code that rebuilds it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, assert_never

import asyncpg
from latchkey.judging import PairStatus

from services.keys.domain import events as facts
from shared.store.records import Recorded

_EVENTS = facts.KeyringEvent.__args__


@dataclass(slots=True)
class _Change:
    """What a batch does to one pair: its last status, and what came along with any."""

    status: PairStatus = PairStatus.ACTIVE
    reason: str | None = None
    valid_until: datetime | None = None
    successor: str | None = None
    ended_at: datetime | None = None


@dataclass(slots=True)
class _Batch:
    rings: list[tuple[str, str, str, str]] = field(default_factory=list)
    versions: dict[str, tuple[int, int]] = field(default_factory=dict)
    standings: dict[tuple[str, str], tuple[str, int, bool]] = field(default_factory=dict)
    pairs: list[tuple[Any, ...]] = field(default_factory=list)
    changes: dict[str, _Change] = field(default_factory=dict)

    def take(self, recorded: Recorded[facts.KeyringEvent]) -> None:  # noqa: C901  # one case an event: the table is read as a whole
        ring_id, event, at = recorded.stream_id, recorded.event, recorded.recorded_at
        _, public_version = self.versions.get(ring_id, (0, 0))
        self.versions[ring_id] = (recorded.version, recorded.public_version or public_version)
        match event:
            case facts.KeyringOpened(app_id, environment, owner_id):
                self.rings.append((ring_id, app_id, environment, owner_id))
            case facts.KeyPairGenerated():
                self.pairs.append(_pair(ring_id, event, at))
            case facts.KeyRotated():
                change = self._status(event.old_pair_id, PairStatus.RETIRING, None)
                change.valid_until, change.successor = event.old_valid_until, event.new_pair_id
            case facts.KeyDisabled(pair_id, facts.DisableReason.ROTATED):
                self._status(pair_id, PairStatus.RETIRED, facts.DisableReason.ROTATED).ended_at = at
            case facts.KeyDisabled(pair_id, reason):
                self._status(pair_id, PairStatus.DISABLED, reason)
            case facts.KeyEnabled(pair_id) | facts.KeyRotationRolledBack(pair_id):
                self._status(pair_id, PairStatus.ACTIVE, None)
            case facts.KeyRevoked(pair_id, reason):
                self._status(pair_id, PairStatus.REVOKED, reason).ended_at = at
            case facts.KeyExpired(pair_id):
                self._status(pair_id, PairStatus.EXPIRED, None).ended_at = at
            case facts.KeyringSuspended(reason, source, version) | facts.KeyringResumed(reason, source, version):
                self.standings[ring_id, reason] = (source, version, isinstance(event, facts.KeyringSuspended))
            case facts.KeySecretRevealed() | facts.KeyRotationFinished():
                pass
            case _:
                assert_never(event)

    def _status(self, pair_id: str, status: PairStatus, reason: str | None) -> _Change:
        change = self.changes.setdefault(pair_id, _Change())
        change.status, change.reason = status, reason
        return change


class Keyrings:
    """Rings, their standings and their pairs. A pair's row is only ever written while its ring's row is locked."""

    name: ClassVar[str] = "keyrings"
    shape: ClassVar[int] = 1
    names: ClassVar[Sequence[str]] = ("keyrings", "ring_standings", "pairs")

    def tables(self, suffix: str) -> str:
        """See View."""
        return f"""
        CREATE TABLE keyrings{suffix} (
            ring_id text COLLATE "C" PRIMARY KEY, app_id text NOT NULL, environment text NOT NULL, tenant text NOT NULL,
            version int NOT NULL DEFAULT 0, public_version int NOT NULL DEFAULT 0);
        CREATE TABLE ring_standings{suffix} (
            ring_id text NOT NULL, reason text NOT NULL, source text NOT NULL, source_version int NOT NULL, suspends boolean NOT NULL,
            PRIMARY KEY (ring_id, reason));
        CREATE TABLE pairs{suffix} (
            pair_id text COLLATE "C" PRIMARY KEY, ring_id text NOT NULL, lineage_id text NOT NULL, public_key text NOT NULL,
            secret_digest bytea NOT NULL, secret_last_four text NOT NULL, created_at timestamptz NOT NULL, expires_at timestamptz,
            scopes text[] NOT NULL, allowed_origins text[] NOT NULL, allowed_ips text[] NOT NULL,
            status text NOT NULL, reason text, valid_until timestamptz, successor text, ended_at timestamptz)"""

    def indexes(self, suffix: str) -> str:
        """See View."""
        return f"""
        CREATE INDEX keyrings{suffix}_app ON keyrings{suffix} (app_id);
        CREATE INDEX pairs{suffix}_ring ON pairs{suffix} (ring_id, pair_id);
        CREATE INDEX pairs{suffix}_due ON pairs{suffix} (least(valid_until, expires_at))
            WHERE ended_at IS NULL AND (valid_until IS NOT NULL OR expires_at IS NOT NULL)"""

    async def apply(self, db: asyncpg.Connection, suffix: str, events: Sequence[Recorded[Any]]) -> None:
        """See View."""
        batch = _Batch()
        for recorded in events:
            if isinstance(recorded.event, _EVENTS):
                batch.take(recorded)
        if batch.versions:
            await _write_rings(db, suffix, batch)
            await _write_standings(db, suffix, batch)
            await _write_pairs(db, suffix, batch)


def _pair(ring_id: str, event: facts.KeyPairGenerated, at: datetime) -> tuple[Any, ...]:
    made = event.pair
    rules = (json.dumps(made.scopes), json.dumps(made.allowed_origins), json.dumps(made.allowed_ips))
    secret = (bytes.fromhex(made.secret_digest), made.secret_last_four)
    return (made.pair_id, ring_id, made.lineage_id, made.public_key, *secret, at, made.expires_at, *rules)


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    """Rows as one list a column, in the order of the first column, so that every writer takes locks in the same order."""
    return [list(column) for column in zip(*sorted(rows, key=lambda row: row[0]), strict=True)]


async def _write_rings(db: asyncpg.Connection, suffix: str, batch: _Batch) -> None:
    if batch.rings:
        await db.execute(
            f"""INSERT INTO keyrings{suffix} (ring_id, app_id, environment, tenant)
                SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
                ON CONFLICT DO NOTHING""",  # Another process opened the ring: the events, which come last, find their version taken.
            *_columns(batch.rings),
        )
    columns = _columns([(ring_id, *versions) for ring_id, versions in batch.versions.items()])
    await db.execute(f"SELECT FROM keyrings{suffix} WHERE ring_id = ANY($1::text[]) ORDER BY ring_id FOR UPDATE", columns[0])
    await db.execute(
        f"""UPDATE keyrings{suffix} k SET version = u.version, public_version = greatest(k.public_version, u.public_version)
            FROM unnest($1::text[], $2::int[], $3::int[]) AS u (ring_id, version, public_version) WHERE k.ring_id = u.ring_id""",
        *columns,
    )


async def _write_standings(db: asyncpg.Connection, suffix: str, batch: _Batch) -> None:
    if batch.standings:
        await db.execute(
            f"""INSERT INTO ring_standings{suffix} (ring_id, reason, source, source_version, suspends)
                SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::boolean[])
                ON CONFLICT (ring_id, reason)
                DO UPDATE SET source = excluded.source, source_version = excluded.source_version, suspends = excluded.suspends""",
            *_columns([(*key, *standing) for key, standing in batch.standings.items()]),
        )


async def _write_pairs(db: asyncpg.Connection, suffix: str, batch: _Batch) -> None:
    if batch.pairs:
        await db.execute(
            f"""INSERT INTO pairs{suffix} (pair_id, ring_id, lineage_id, public_key, secret_digest, secret_last_four, created_at,
                    expires_at, scopes, allowed_origins, allowed_ips, status)
                SELECT pair_id, ring_id, lineage_id, public_key, secret_digest, last_four, created_at, expires_at,
                    ARRAY(SELECT json_array_elements_text(scopes)), ARRAY(SELECT json_array_elements_text(origins)),
                    ARRAY(SELECT json_array_elements_text(ips)), '{PairStatus.ACTIVE}'
                FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::text[], $7::timestamptz[],
                    $8::timestamptz[], $9::json[], $10::json[], $11::json[])
                AS u (pair_id, ring_id, lineage_id, public_key, secret_digest, last_four, created_at, expires_at, scopes, origins, ips)""",
            *_columns(batch.pairs),
        )
    if batch.changes:
        rows = [(key, c.status, c.reason, c.valid_until, c.successor, c.ended_at) for key, c in batch.changes.items()]
        await db.execute(
            f"""UPDATE pairs{suffix} p SET status = u.status, reason = u.reason,
                    valid_until = CASE WHEN u.status <> '{PairStatus.ACTIVE}' THEN coalesce(u.valid_until, p.valid_until) END,
                    successor = CASE WHEN u.status <> '{PairStatus.ACTIVE}' THEN coalesce(u.successor, p.successor) END,
                    ended_at = coalesce(u.ended_at, p.ended_at)
                FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::text[], $6::timestamptz[])
                AS u (pair_id, status, reason, valid_until, successor, ended_at) WHERE p.pair_id = u.pair_id""",
            *_columns(rows),
        )
