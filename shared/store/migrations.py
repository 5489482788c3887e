"""Migrations: plain SQL files, checksummed, each in a transaction of its own under one advisory lock, then the inline views' tables.

Two that start at once run one after the other. One that is killed at any statement leaves nothing of the file it was in, because
PostgreSQL's DDL is transactional and the file's row is written by the same transaction; the next start goes on with that file.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
from latchkey.consumer import install

from shared.store.contract import View

_LOCK: Final = 1702258031
_HISTORY = """
CREATE TABLE IF NOT EXISTS public.schema_migrations (
    folder text, name text, sha256 text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (folder, name))
"""
_CONSUMER_GRANTS = """
GRANT USAGE ON SCHEMA latchkey TO {app}, {read};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA latchkey TO {app};
GRANT SELECT ON ALL TABLES IN SCHEMA latchkey TO {read};
"""
_ANY_EVENT: Final = "SELECT EXISTS (SELECT FROM es.events WHERE $1::text[] IS NULL OR type = ANY($1::text[]))"
STORE_FOLDER: Final = Path(__file__).parent / "sql"


class MigrationChanged(Exception):
    """A file that was applied before has another content now: migrations are never edited, a new one is added."""


class NotAnOwner(Exception):
    """Migrations run as a role named `<service>_owner`; the text says as whom they were tried."""


class RebuildNeeded(Exception):
    """A view has no table yet but the log has events that make rows of it: `ops rebuild <view>` makes it while users keep working."""


@dataclass(frozen=True)
class Roles:
    """The three roles of a database: the owner migrates and rebuilds, the app serves, people read."""

    owner: str
    app: str
    read: str

    @classmethod
    def of_owner(cls, owner: str) -> "Roles":
        """`keys_owner` has the siblings `keys_app` and `keys_read`. Raises NotAnOwner for a name of another form."""
        stem, found, _ = owner.rpartition("_owner")
        if not found:
            raise NotAnOwner(f"Migrations run as a role named <service>_owner, not {owner}.")
        return cls(owner, f"{stem}_app", f"{stem}_read")


async def migrate(owner_url: str, folder: Path, views: Sequence[View]) -> list[str]:
    """Bring a database to the present schema; answers what was done, a line each, nothing when it was there already.

    Raises NotAnOwner, MigrationChanged, RebuildNeeded, and what a wrong file raises; then that file has had no effect.
    """
    db = await asyncpg.connect(owner_url, timeout=60)
    try:
        await db.execute("SELECT pg_advisory_lock($1)", _LOCK)
        roles = Roles.of_owner(await db.fetchval("SELECT current_user"))
        await db.execute(_HISTORY)
        done = [line for each in (STORE_FOLDER, folder) for line in await _apply_folder(db, each, roles)]
        async with db.transaction():
            await install(db)
            await db.execute(_CONSUMER_GRANTS.format(app=f'"{roles.app}"', read=f'"{roles.read}"'))
        return done + [line for view in views for line in await _make_view(db, view)]
    finally:
        await db.close()  # which releases the lock


async def _apply_folder(db: asyncpg.Connection, folder: Path, roles: Roles) -> list[str]:
    label = f"{folder.parent.name}/{folder.name}"
    done = []
    for file in sorted(folder.glob("*.sql")):  # noqa: ASYNC240  # a one-shot command that has nothing else to do
        text = file.read_text(encoding="utf-8")
        digest = hashlib.sha256(text.encode()).hexdigest()
        known = await db.fetchval("SELECT sha256 FROM public.schema_migrations WHERE folder = $1 AND name = $2", label, file.name)
        if known is None:
            async with db.transaction():
                await db.execute(text.format(app=f'"{roles.app}"', read=f'"{roles.read}"'))
                await db.execute("INSERT INTO public.schema_migrations VALUES ($1, $2, $3)", label, file.name, digest)
            done.append(f"applied {label}/{file.name}")
        elif known != digest:
            raise MigrationChanged(f"{label}/{file.name} was changed after it had been applied")
    return done


async def _make_view(db: asyncpg.Connection, view: View) -> list[str]:
    if await db.fetchval("SELECT 1 FROM es.active WHERE projection = $1", view.name):
        return []
    grows_on = getattr(view, "grows_on", None)
    if await db.fetchval(_ANY_EVENT, None if grows_on is None else sorted(grows_on)):
        raise RebuildNeeded(view.name)
    async with db.transaction():
        await db.execute(view.tables("_v1"))
        await db.execute(view.indexes("_v1"))
        await point_at(db, view, 1)
    return [f"made {view.name} version 1"]


async def point_at(db: asyncpg.Connection, view: View, version: int) -> None:
    """Make a version of a view the one that is written and read, inside the caller's transaction.

    Queries read the plain name: a SQL view with the invoker's rights over the active table.
    """
    for name in view.names:
        await db.execute(f"DROP VIEW IF EXISTS {name}")
        await db.execute(f"CREATE VIEW {name} WITH (security_invoker = true) AS SELECT * FROM {name}_v{version}")
    await db.execute(
        "INSERT INTO es.active VALUES ($1, $2, $3) ON CONFLICT (projection) DO UPDATE SET version = $2, shape = $3",
        view.name, version, view.shape,
    )  # fmt: skip
