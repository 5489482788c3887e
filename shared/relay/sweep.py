"""The sweep of compacted topics: where an older state was written last, the log's current one is sent again.

A compacted topic keeps the last record of each key, so the order of the last write matters there too. A batch of an earlier leader, or
one whose acknowledgement was lost, can arrive late and put an old state behind the new one. Such records are known by their offsets:
they lie where none of ours were acknowledged. The sweep reads exactly those and compares their positions with the log.
"""

import re
from collections.abc import AsyncIterator, Sequence
from typing import Final

import asyncpg
from latchkey.envelope import splice

from shared.relay.offsets import Offsets, Place
from shared.relay.outlet import Outlet, Record

_CURRENT = """
SELECT DISTINCT ON (s->>0, s->>1) s->>0 AS topic, s->>1 AS key, s->>2 AS text, e.position
FROM es.events e, jsonb_array_elements(e.states) s
WHERE e.stream_id = ANY($1::text[]) AND e.states IS NOT NULL AND e.position <= $2
ORDER BY s->>0, s->>1, e.version DESC
"""
_STREAMS = "SELECT DISTINCT stream_id FROM es.events WHERE states IS NOT NULL AND stream_id > $1 ORDER BY stream_id LIMIT $2"
_POSITION: Final = re.compile(rb'\{"globalposition":"([0-9]+)"')
_PAGE: Final = 1_000
_TOMBSTONE: Final = -1

Seen = dict[tuple[str, str], int]
"""By topic and key: the position of the last record that was read."""


async def sweep(db: asyncpg.Connection, outlet: Outlet, offsets: Offsets, position: int) -> int:
    """Look at every record noted as unseen and send again what is stale, as of `position`; answers how many states that were.

    A partition that is unseen from its first record on is compared with the whole log, so that absent keys are found too.
    """
    ranges = {place: (start, offsets.following[place]) for place, start in offsets.unseen.items()}
    offsets.unseen.clear()  # what arrives from here on is noted anew: this sweep does not see it
    whole = {place for place, (start, _) in ranges.items() if start == 0}
    seen: Seen = {}
    async for record in outlet.records(ranges):
        if record.key is not None:
            seen[record.topic, record.key.decode(errors="replace")] = position_of(record.value)
    repaired = 0
    async for keys in _keys(db, seen, whole):
        stale = await _stale(db, outlet, seen, ranges, keys, position)
        await outlet.send(outlet.pack(stale))
        repaired += len(stale)
    return repaired


def position_of(value: bytes | None) -> int:
    """The position that the relay spliced into a record; a tombstone has none, and what another program wrote counts as the oldest."""
    found = _POSITION.match(value) if value is not None else None
    return _TOMBSTONE if value is None else int(found[1]) if found else 0


async def _keys(db: asyncpg.Connection, seen: Seen, whole: set[Place]) -> AsyncIterator[Sequence[str]]:
    """Pages of the stream ids to compare."""
    if not whole:
        every = sorted({key for _, key in seen})
        for at in range(0, len(every), _PAGE):
            yield every[at : at + _PAGE]
        return
    last = ""
    while rows := await db.fetch(_STREAMS, last, _PAGE):
        last = rows[-1][0]
        yield [row[0] for row in rows]


async def _stale(
    db: asyncpg.Connection, outlet: Outlet, seen: Seen, ranges: dict[Place, tuple[int, int]], keys: Sequence[str], position: int
) -> list[Record]:
    stale = []
    for topic, key, text, at in await db.fetch(_CURRENT, keys, position):
        record = Record(topic, key, None if text is None else splice(text.encode(), at), [])
        last = seen.get((topic, key))
        place = outlet.place(record)
        if place not in ranges or (last is None and ranges[place][0] > 0):
            continue  # nothing that we did not acknowledge was written for this key
        if (last is not None and last != _TOMBSTONE) if text is None else (last is None or last < at):
            stale.append(record)
    return stale
