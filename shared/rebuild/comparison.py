"""Is the new version of a view equal to the live one: a checksum over all rows, and the rows that differ when it is not."""

from dataclasses import dataclass
from typing import Final

import asyncpg

_SHOWN: Final = 5
_MOST: Final = 5_000  # rows without a counterpart: enough to know that many are missing
_COLUMNS: Final = """
SELECT c.attname, coalesce(c.attnum = ANY(i.indkey), false) FROM pg_attribute c
LEFT JOIN pg_index i ON i.indrelid = c.attrelid AND i.indisprimary
WHERE c.attrelid = $1::regclass AND c.attnum > 0 AND NOT c.attisdropped ORDER BY c.attnum
"""


@dataclass(frozen=True, slots=True)
class Difference:
    """One row that is not the same: as it is live, and as the log tells it; None where it is absent."""

    table: str
    live: str | None
    rebuilt: str | None


async def compare(live: asyncpg.Connection, rebuilt: asyncpg.Connection, table: str, old: str, new: str) -> list[Difference]:
    """The first differences between two versions of a table, in the order of the primary key, over the columns that both have.

    `live` reads from a snapshot that holds exactly the events that the new version was brought to.
    """
    columns = await live.fetch(_COLUMNS, table + old)
    both = {row[0] for row in await rebuilt.fetch(_COLUMNS, table + new)} & {row[0] for row in columns}
    shown = ", ".join(f'"{name}"' for name, _ in columns if name in both)
    key = ", ".join(f'"{name}"' for name, primary in columns if primary) or shown
    checksum = f"SELECT count(*), sum(hashtextextended(t::text, 0)::numeric) FROM (SELECT {shown} FROM {table}%s) t"
    if tuple(await live.fetchrow(checksum % old) or ()) == tuple(await rebuilt.fetchrow(checksum % new) or ()):
        return []
    rows = f"SELECT ROW({key})::text, t::text FROM (SELECT {shown} FROM {table}%s) t ORDER BY {key}"
    return await _walk(table, live, rows % old, rebuilt, rows % new)


async def _walk(table: str, live: asyncpg.Connection, live_sql: str, rebuilt: asyncpg.Connection, new_sql: str) -> list[Difference]:
    """Go through both in the order of their keys; a row is kept until the other side's row of that key came by."""
    ahead: dict[str, tuple[str | None, str | None]] = {}
    async with rebuilt.transaction():
        ours, theirs = live.cursor(live_sql), rebuilt.cursor(new_sql)
        left, right = await ours, await theirs
        while True:
            one, two = await left.fetch(500), await right.fetch(500)
            for key, text in one:
                ahead[key] = (text, ahead.get(key, (None, None))[1])
            for key, text in two:
                ahead[key] = (ahead.get(key, (None, None))[0], text)
            ahead = {key: pair for key, pair in ahead.items() if pair[0] != pair[1]}
            apart = [Difference(table, *pair) for pair in ahead.values() if None not in pair]
            if len(apart) >= _SHOWN or len(ahead) > _MOST or not (one or two):
                break
    return (apart + [Difference(table, *pair) for pair in ahead.values() if None in pair])[:_SHOWN]
