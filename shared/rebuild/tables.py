"""The tables of a view's versions: making the next one, going on with one that was begun, dropping those that nobody uses."""

from dataclasses import dataclass
from typing import Final

import asyncpg

from shared.store.contract import View

_LOCK_TIMEOUT: Final = "SET LOCAL lock_timeout = '2s'"


@dataclass(frozen=True, slots=True)
class Begun:
    """A rebuild under way: the version that it makes, the one in use (None for a view that never had one), and how far it came."""

    version: int
    active: int | None
    position: int
    resumed: bool

    @property
    def suffix(self) -> str:
        """What follows the names of its tables."""
        return f"_v{self.version}"


async def begin(owner: asyncpg.Connection, view: View) -> Begun:
    """Make the tables of the next version, or go on with those that an earlier run left, when the view's shape is still the same."""
    active = await owner.fetchval("SELECT version FROM es.active WHERE projection = $1", view.name)
    left = await owner.fetchrow("SELECT version, shape, position FROM es.rebuilds WHERE projection = $1", view.name)
    if left is not None and left["shape"] == view.shape:
        return Begun(left["version"], active, left["position"], resumed=True)
    version = (active or 0) + 1
    while await _exists(owner, view, version):
        version += 1
    async with owner.transaction():
        await owner.execute(_LOCK_TIMEOUT)
        await owner.execute(view.tables(f"_v{version}"))
        await forget(owner, view)
        await owner.execute(
            "INSERT INTO es.rebuilds (projection, version, shape, position) VALUES ($1, $2, $3, 0)", view.name, version, view.shape
        )
    return Begun(version, active, 0, resumed=False)


async def forget(owner: asyncpg.Connection, view: View) -> None:
    """The rebuild is over, or must not be gone on with; its tables stay."""
    await owner.execute("DELETE FROM es.rebuilds WHERE projection = $1", view.name)


async def add_indexes(owner: asyncpg.Connection, view: View, suffix: str) -> None:
    """Make the indexes, all or none; those that an earlier run made are there already."""
    try:
        async with owner.transaction():
            await owner.execute(view.indexes(suffix))
    except asyncpg.DuplicateTableError:  # PostgreSQL's name for it: an index is a relation too
        return


async def drop_old(owner: asyncpg.Connection, view: View) -> list[str]:
    """Drop the tables of every version that is neither in use nor being rebuilt; answers their names."""
    used = {row[0] for row in await owner.fetch(
        "SELECT version FROM es.active WHERE projection = $1 UNION SELECT version FROM es.rebuilds WHERE projection = $1", view.name
    )}  # fmt: skip
    found = await owner.fetch(
        "SELECT n.name || '_v' || v[1], v[1]::int FROM unnest($1::text[]) AS n (name) JOIN pg_tables t ON t.schemaname = 'public' "
        "AND starts_with(t.tablename, n.name || '_v'), regexp_match(substr(t.tablename, length(n.name) + 1), '^_v([0-9]+)$') AS v "
        "WHERE v IS NOT NULL ORDER BY 1",
        list(view.names),
    )
    dropped = [name for name, version in found if version not in used]
    async with owner.transaction():
        await owner.execute(_LOCK_TIMEOUT)
        for name in dropped:
            await owner.execute(f"DROP TABLE {name} CASCADE")
    return dropped


async def _exists(owner: asyncpg.Connection, view: View, version: int) -> bool:
    names = [f"public.{name}_v{version}" for name in view.names]
    return bool(await owner.fetchval("SELECT bool_or(to_regclass(n) IS NOT NULL) FROM unnest($1::text[]) n", names))
