"""Which pairs of keys there were and which belong together, from what keys tells."""

from collections.abc import Sequence

import asyncpg
from latchkey.envelope import Envelope
from latchkey.events.keys import KeyPairGenerated


class Pairs:
    """Pairs by id, with the lineage that stays the same across rotations; they are never forgotten, for old transactions name them."""

    async def apply(self, db: asyncpg.Connection, events: Sequence[Envelope]) -> None:
        """See Handler."""
        made = [event.data for event in events if isinstance(event.data, KeyPairGenerated)]
        rows = sorted((pair.pair_id, pair.app_id, pair.environment, pair.lineage_id) for pair in made)
        if rows:
            await db.execute(
                """INSERT INTO pairs (pair_id, app_id, environment, lineage_id)
                SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) ON CONFLICT DO NOTHING""",
                *map(list, zip(*rows, strict=True)),
            )
