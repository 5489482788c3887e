"""Secret keys that were met in browsers, for the owner of the app to see."""

from collections.abc import Sequence
from typing import Any, ClassVar

import asyncpg

from services.metrics.domain.events import TransactionRefused
from shared.store.records import Recorded


class Refusals:
    """See View: one row a refusal."""

    name: ClassVar[str] = "refusals"
    shape: ClassVar[int] = 1
    names: ClassVar[Sequence[str]] = ("refusals",)

    def tables(self, suffix: str) -> str:
        """See View."""
        return f"""CREATE TABLE refusals{suffix} (
            app_id text NOT NULL, refused_at timestamptz NOT NULL, stream_id text NOT NULL, version int NOT NULL, environment text NOT NULL,
            pair_id text NOT NULL, origin text NOT NULL, PRIMARY KEY (app_id, refused_at, stream_id, version))"""

    def indexes(self, suffix: str) -> str:
        """The primary key serves every query; the planner needs to know its rows."""
        return f"ANALYZE refusals{suffix}"

    async def apply(self, db: asyncpg.Connection, suffix: str, events: Sequence[Recorded[Any]]) -> None:
        """See View."""
        rows = [
            (e.app_id, e.refused_at, recorded.stream_id, recorded.version, e.environment, e.pair_id, e.origin)
            for recorded in events
            if isinstance(e := recorded.event, TransactionRefused)
        ]
        if rows:
            await db.execute(
                f"""INSERT INTO refusals{suffix} (app_id, refused_at, stream_id, version, environment, pair_id, origin)
                SELECT * FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::int[], $5::text[], $6::text[], $7::text[])
                ON CONFLICT DO NOTHING""",
                *map(list, zip(*sorted(rows), strict=True)),
            )
