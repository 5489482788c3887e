"""Events to rows: the apps as their owners see them, written in the append's own transaction."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, assert_never

import asyncpg
from pydantic_core import to_json

from services.registry.domain.details import folded
from services.registry.domain.events import (
    AppArchived,
    AppContactChanged,
    AppDetailsChanged,
    AppDisabled,
    AppEnabled,
    AppErased,
    AppEvent,
    AppLogoChanged,
    AppRegistered,
    AppRestored,
    AppStatus,
    Contact,
    DomainAdded,
    DomainRemoved,
    DomainVerified,
)
from shared.personal import Erased
from shared.store.records import Recorded

# `jsonb_populate_record` casts each value to its column's type, and leaves what a change does not name as it is.
_INSERT_APPS = "INSERT INTO apps{0} SELECT (jsonb_populate_record(NULL::apps{0}, row)).* FROM jsonb_array_elements($1::jsonb) AS row"
_COLUMNS = "name, folded, status, country, state, email, address, postal_code, city, phone, logo_hash, version"
_UPDATE_APPS = f"""
WITH change AS MATERIALIZED (SELECT row->>'app_id' AS app_id, row FROM jsonb_array_elements($1::jsonb) AS row),
     locked AS MATERIALIZED (SELECT app_id FROM apps{{0}} WHERE app_id IN (SELECT app_id FROM change) ORDER BY app_id FOR UPDATE)
UPDATE apps{{0}} AS app SET ({_COLUMNS}) = (SELECT {_COLUMNS} FROM jsonb_populate_record(app, change.row))
FROM change JOIN locked USING (app_id) WHERE app.app_id = change.app_id
"""
Row = dict[str, Any]


class Apps:
    """A row per app, until its owner is erased."""

    name: ClassVar[str] = "apps"
    shape: ClassVar[int] = 1
    names: ClassVar[Sequence[str]] = ("apps",)

    def tables(self, suffix: str) -> str:
        return f"""
        CREATE TABLE apps{suffix} (
            app_id text COLLATE "C" PRIMARY KEY, owner_id text NOT NULL, product_id text NOT NULL, name text NOT NULL, folded text NOT NULL,
            status text NOT NULL, country text NOT NULL, state text, email text, address text, postal_code text, city text, phone text,
            logo_hash text, registered_at timestamptz NOT NULL, version int NOT NULL)"""

    def indexes(self, suffix: str) -> str:
        """A name in its compatible form can be longer than an index row may be: its digest is what must be unique."""
        return f"""
        CREATE UNIQUE INDEX apps{suffix}_owner_name ON apps{suffix} (owner_id, md5(folded)) WHERE status <> '{AppStatus.ARCHIVED}';
        CREATE INDEX apps{suffix}_owner ON apps{suffix} (owner_id, app_id DESC);
        CREATE INDEX apps{suffix}_logo ON apps{suffix} (logo_hash) WHERE logo_hash IS NOT NULL"""

    async def apply(self, db: asyncpg.Connection, suffix: str, events: Sequence[Recorded[Any]]) -> None:
        made: dict[str, Row] = {}
        changed: dict[str, Row] = {}
        erased: list[str] = []
        for recorded in events:
            match recorded.event:
                case AppErased():
                    made.pop(recorded.stream_id, None)
                    changed.pop(recorded.stream_id, None)
                    erased.append(recorded.stream_id)
                case AppRegistered():
                    made[recorded.stream_id] = _app_row(recorded)
                case event if isinstance(event, AppEvent):
                    rows = made if recorded.stream_id in made else changed
                    rows.setdefault(recorded.stream_id, {}).update(_app_row(recorded))
        await _write(db, _INSERT_APPS.format(suffix), made)
        await _write(db, _UPDATE_APPS.format(suffix), changed)
        if erased:
            await db.execute(f"DELETE FROM apps{suffix} WHERE app_id = ANY($1::text[])", erased)


async def _write(db: asyncpg.Connection, statement: str, rows: Mapping[str, Row]) -> None:
    if rows:
        await db.execute(statement, to_json([rows[app_id] for app_id in sorted(rows)]).decode())


def _app_row(recorded: Recorded[AppEvent]) -> Row:
    row = {"app_id": recorded.stream_id, "version": recorded.version}
    return row | _app_columns(recorded.event)


def _app_columns(event: AppEvent) -> Row:  # noqa: PLR0911  # one case an event: the table is read as a whole
    match event:
        case AppRegistered(owner_id, product_id, name, country, state, contact, registered_at):
            first = {"owner_id": owner_id, "product_id": product_id, "registered_at": registered_at, "status": AppStatus.ACTIVE}
            return first | _shown(name, country, state) | _contact(contact)
        case AppDetailsChanged(_, name, country, state):
            return _shown(name, country, state)
        case AppContactChanged(_, contact):
            return _contact(contact)
        case AppLogoChanged(logo_hash):
            return {"logo_hash": logo_hash}
        case AppDisabled():
            return {"status": AppStatus.DISABLED}
        case AppEnabled():
            return {"status": AppStatus.ACTIVE}
        case AppArchived():
            return {"status": AppStatus.ARCHIVED}
        case AppRestored(status):
            return {"status": status}
        case AppErased() | DomainAdded() | DomainVerified() | DomainRemoved():
            return {}
        case _:
            assert_never(event)


_CONTACT = ("email", "address", "postal_code", "city", "phone")


def _shown(name: str, country: str, state: str | None) -> Row:
    return {"name": name, "folded": folded(name), "country": country, "state": state}


def _contact(contact: Contact | Erased) -> Row:
    return {column: None if isinstance(contact, Erased) else getattr(contact, column) for column in _CONTACT}
