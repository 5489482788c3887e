"""A service's database and its three roles: owner, app and read-only, named after the database."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

import asyncpg

_NAME = re.compile(r"[a-z][a-z0-9_]{0,50}")
_PASSWORD = re.compile(r"[A-Za-z0-9_-]{16,}")


@dataclass(frozen=True)
class Database:
    """Where to sign in to one database, by role. The role names are the database's with `_owner`, `_app` and `_read` at the end."""

    name: str
    owner: str
    app: str
    read: str

    @staticmethod
    def at(superuser: str, name: str, password: str) -> "Database":
        """Return the addresses of the database of this name on the superuser's server, whether it exists or not."""
        where = urlsplit(superuser).netloc.rpartition("@")[2]
        owner, app, read = (f"postgres://{name}_{role}:{password}@{where}/{name}" for role in ("owner", "app", "read"))
        return Database(name, owner, app, read)


async def make_database(superuser: str, name: str, password: str, **others: str) -> Database:
    """Make the database and its roles where they are missing, and set their passwords. Made twice is made once.

    `others` gives a role (`owner`, `app`, `read`) a password of its own. The app role may not idle inside a transaction for more than 10 s,
    so that a stuck process cannot hold its locks.
    """
    passwords = dict.fromkeys(("owner", "app", "read"), password) | others
    if not _NAME.fullmatch(name) or not all(map(_PASSWORD.fullmatch, passwords.values())):
        raise ValueError(f"neither may need quoting in SQL: {name!r} and its password")
    connection = await asyncpg.connect(superuser)
    try:
        known = {row["rolname"] for row in await connection.fetch("SELECT rolname FROM pg_roles WHERE starts_with(rolname, $1)", name)}
        for role, word in passwords.items():
            await connection.execute(f"{'ALTER' if f'{name}_{role}' in known else 'CREATE'} ROLE {name}_{role} LOGIN PASSWORD '{word}'")
        await connection.execute(f"ALTER ROLE {name}_app SET idle_in_transaction_session_timeout = '10s'")
        if not await connection.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", name):
            await connection.execute(f"GRANT {name}_owner TO CURRENT_USER")  # who is no superuser may not give away what it cannot become
            await connection.execute(f"CREATE DATABASE {name} OWNER {name}_owner")
        await connection.execute(f"REVOKE ALL ON DATABASE {name} FROM PUBLIC")
        await connection.execute(f"GRANT CONNECT ON DATABASE {name} TO {name}_app, {name}_read")
    finally:
        await connection.close()
    return Database.at(superuser, name, password)


async def note(superuser: str, name: str) -> str | None:
    """Return what `write_note` wrote to the database last: it lives and dies with the data."""
    connection = await asyncpg.connect(superuser)
    try:
        found = await connection.fetchval("SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = $1", name)
        return str(found) if found is not None else None
    finally:
        await connection.close()


async def write_note(superuser: str, name: str, text: str) -> None:
    """Write one line of letters and digits to the database, in the place of the one before. Raises ValueError for any other text."""
    if not text.isalnum():
        raise ValueError(f"it would need quoting in SQL: {text!r}")
    connection = await asyncpg.connect(superuser)
    try:
        await connection.execute(f"COMMENT ON DATABASE {name} IS '{text}'")
    finally:
        await connection.close()


async def drop_database(superuser: str, name: str) -> None:
    """Drop what `make_database` made; whoever is connected to it is thrown out."""
    connection = await asyncpg.connect(superuser)
    try:
        await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        for role in (f"{name}_owner", f"{name}_app", f"{name}_read"):
            await connection.execute(f"DROP ROLE IF EXISTS {role}")
    finally:
        await connection.close()
