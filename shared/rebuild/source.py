"""The log as a rebuild reads it: typed events, page by page, upcast, with erased fields as erased."""

import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import asyncpg

from shared.events import EventRegistry
from shared.sealing import Cipher
from shared.store.contract import View
from shared.store.records import Meta, Recorded
from shared.store.subjects import SubjectKeys

PAGE_ROWS: Final = 2_000
PAGE: Final = """
SELECT position, stream_id, version, type, schema_version, data, meta, recorded_at, public_version FROM es.events
WHERE position > $1 AND position <= $2 AND ($4::text[] IS NULL OR type = ANY($4)) ORDER BY position LIMIT $3
"""


class Page(NamedTuple):
    """Events that follow each other in the log, but for those that the view does not want; `end` is how far the page reaches."""

    events: list[Recorded[Any]]
    end: int


class Source:
    """Reads what one view wants. A view may name the stored event types in an attribute `wants`; without it, it gets all."""

    def __init__(self, db: asyncpg.Connection, registry: EventRegistry[Any], keys: SubjectKeys, view: View) -> None:
        self._db, self._registry, self._keys = db, registry, keys
        wants = getattr(view, "wants", None)
        self._wants = None if wants is None else sorted(wants)

    async def page(self, after: int, up_to: int) -> Page:
        """The next page above `after`; `up_to` must be final (from the fence, or under the exclusive lock)."""
        rows = await self._db.fetch(PAGE, after, up_to, PAGE_ROWS, self._wants)
        subjects = {subject for row in rows for subject in self._registry.subjects(row[3], row[5])}
        ciphers = await self._keys.ciphers(subjects) if subjects else {}
        events = [self._recorded(row, ciphers) for row in rows]
        return Page(events, up_to if len(rows) < PAGE_ROWS else rows[-1][0])

    def _recorded(self, row: asyncpg.Record, ciphers: Mapping[str, Cipher | None]) -> Recorded[Any]:
        _, stream_id, version, kind, schema, data, meta, recorded_at, public_version = row
        event = self._registry.decode(kind, schema, data, stream_id=stream_id, ciphers=ciphers)
        return Recorded(stream_id, version, event, Meta(**json.loads(meta)), recorded_at, public_version)
