"""Looking into the log: the events of a stream, and whether anybody changed what was written."""

import json
from typing import Any, Final

import asyncpg
from pydantic_core import to_json

from shared.events import SEALED
from shared.ops.kit import Arguments, Failed, Toolbox, say
from shared.store.log import COLUMNS, positioned
from shared.store.records import Row, chain
from shared.store.subjects import SubjectKeys

_STREAM: Final = f"SELECT {COLUMNS} FROM es.events WHERE stream_id = $1 ORDER BY version"
_ALL: Final = f"SELECT {COLUMNS} FROM es.events WHERE $1::text IS NULL OR stream_id = $1 ORDER BY stream_id, version"


async def show(tools: Toolbox, arguments: Arguments) -> None:
    """Print a stream, an event in two lines. Personal fields are sealed unless `--reveal` was given."""
    async with asyncpg.create_pool(tools.database_url, min_size=1, max_size=1) as pool:
        rows = [positioned(row) for row in await pool.fetch(_STREAM, arguments.stream)]
        if not rows:
            raise Failed(f"There is no stream {arguments.stream}.")
        keys = SubjectKeys(pool, tools.master_key)
        for found in rows:
            row, meta = found.row, json.loads(found.row.meta)
            public = f", public {row.public_type} {row.public_version}" if row.public_type else ""
            say(
                f"{row.version}  {row.type} (schema {row.schema_version}{public})  {row.recorded_at:%Y-%m-%d %H:%M:%S.%f} UTC  "
                f"by {meta['actor']}  position {found.position}"
            )
            say("   " + (await _revealed(tools, keys, row) if arguments.reveal else json.dumps(_sealed(json.loads(row.data)))))


async def _revealed(tools: Toolbox, keys: SubjectKeys, row: Row) -> str:
    ciphers = await keys.ciphers(tools.registry.subjects(row.type, row.data))
    event = tools.registry.decode(row.type, row.schema_version, row.data, stream_id=row.stream_id, ciphers=ciphers)
    return to_json(event).decode()


def _sealed(value: Any) -> Any:
    match value:
        case {"subject": str(subject)} if SEALED in value:
            return f"[sealed for {subject}]"
        case dict():
            return {name: _sealed(inner) for name, inner in value.items()}
        case _:
            return value


async def verify_chain(tools: Toolbox, arguments: Arguments) -> None:
    """Recompute every hash. Raises Failed when one is wrong or a version is missing; each is printed."""
    events, broken, streams = 0, 0, 0
    stream, version, previous = "", 0, b""
    async with tools.app() as db, db.transaction(isolation="repeatable_read", readonly=True):
        async for record in db.cursor(_ALL, arguments.stream, prefetch=1_000):
            found = positioned(record)
            row = found.row
            if row.stream_id != stream:
                stream, version, previous, streams = row.stream_id, 0, b"", streams + 1
            events += 1
            if row.version != version + 1:
                broken += 1
                say(f"{stream}: version {version + 1} is missing before position {found.position}")
            elif chain(previous, row) != row.hash:
                broken += 1
                say(f"{stream} version {row.version} at position {found.position} is not what was written")
            version, previous = row.version, row.hash
    if broken:
        raise Failed(f"The chain is broken in {broken} places.")
    if arguments.stream and not events:
        raise Failed(f"There is no stream {arguments.stream}.")
    say(f"{events} events of {streams} streams are as they were written.")
