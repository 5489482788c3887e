"""Events to rows: the domains of apps, written in the append's own transaction."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Any, ClassVar

import asyncpg

from services.registry.domain.events import AppErased, DomainAdded, DomainRemoved, DomainVerified
from shared.store.records import Recorded

_GIVEN = "SELECT * FROM unnest($1::text[], $2::text[])"
_LOCKED = f"SELECT app_id, domain FROM domains{{0}} WHERE (app_id, domain) IN ({_GIVEN}) ORDER BY 1, 2 FOR UPDATE"
_REMOVE = f"""
WITH locked AS MATERIALIZED ({_LOCKED})
DELETE FROM domains{{0}} AS held USING locked WHERE held.app_id = locked.app_id AND held.domain = locked.domain
"""
# Another process may have added the same domain a moment ago: that its events come second is for the log to say, not for a key.
_ADD = """
INSERT INTO domains{0} AS held (app_id, domain, proof, added_at, verified_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[]) ORDER BY 1, 2
ON CONFLICT (app_id, domain) DO UPDATE SET proof = excluded.proof, added_at = excluded.added_at, verified_at = excluded.verified_at
"""
_VERIFY = f"""
WITH locked AS MATERIALIZED ({_LOCKED})
UPDATE domains{{0}} AS held SET verified_at = given.verified_at
FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS given (app_id, domain, verified_at) JOIN locked USING (app_id, domain)
WHERE held.app_id = given.app_id AND held.domain = given.domain
"""
_ERASE = "DELETE FROM domains{0} WHERE app_id = ANY($1::text[])"
Place = tuple[str, str]


class Domains:
    """A row per domain of an app, until it is removed or the app's owner is erased."""

    name: ClassVar[str] = "domains"
    shape: ClassVar[int] = 1
    names: ClassVar[Sequence[str]] = ("domains",)
    wants: ClassVar[Collection[str]] = frozenset(
        {"registry.DomainAdded", "registry.DomainVerified", "registry.DomainRemoved", "registry.AppErased"}
    )
    grows_on: ClassVar[Collection[str]] = frozenset({"registry.DomainAdded"})

    def tables(self, suffix: str) -> str:
        return f"""
        CREATE TABLE domains{suffix} (
            app_id text COLLATE "C", domain text COLLATE "C", proof text NOT NULL, added_at timestamptz NOT NULL, verified_at timestamptz,
            PRIMARY KEY (app_id, domain))"""

    def indexes(self, suffix: str) -> str:
        """The primary key serves every query; the planner needs to know its rows."""
        return f"ANALYZE domains{suffix}"

    async def apply(self, db: asyncpg.Connection, suffix: str, events: Sequence[Recorded[Any]]) -> None:
        added: dict[Place, tuple[str, datetime, datetime | None]] = {}
        verified: dict[Place, tuple[datetime]] = {}
        removed: set[Place] = set()
        erased: list[str] = []
        for recorded in events:
            app_id = recorded.stream_id
            match recorded.event:
                case DomainAdded(domain, proof, added_at):
                    added[app_id, domain] = (proof, added_at, None)
                case DomainVerified(domain, at) if (app_id, domain) in added:
                    added[app_id, domain] = (*added[app_id, domain][:2], at)
                case DomainVerified(domain, at):
                    verified[app_id, domain] = (at,)
                case DomainRemoved(domain):
                    added.pop((app_id, domain), None)
                    verified.pop((app_id, domain), None)
                    removed.add((app_id, domain))
                case AppErased():
                    erased.append(app_id)
        await _write(db, _REMOVE.format(suffix), removed)
        await _write(db, _ADD.format(suffix), [place + row for place, row in added.items()])
        await _write(db, _VERIFY.format(suffix), [place + row for place, row in verified.items()])
        if erased:
            await db.execute(_ERASE.format(suffix), erased)


async def _write(db: asyncpg.Connection, statement: str, rows: Iterable[tuple[object, ...]]) -> None:
    if rows := sorted(rows):
        await db.execute(statement, *map(list, zip(*rows, strict=True)))
