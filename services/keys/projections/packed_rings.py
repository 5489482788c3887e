"""All rings of the inline view, packed by PostgreSQL as `latchkey.packing` packs them; a test compares both (docs/decisions/0026)."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Final

import asyncpg
from latchkey.keyformat import CHECK
from latchkey.packing import STATUSES

from services.keys.domain.keyring import ENDED_KEPT

_AT_ONCE: Final = 1_000  # rings; five times as many take 3 MB and are no quicker
_RINGS: Final = """
SELECT int8send(k.public_version * 65536::bigint + r.pairs)
    || set_byte('\\x00', 0, (k.environment = 'live')::int + 2 * EXISTS (
        SELECT FROM ring_standings WHERE ring_id = k.ring_id COLLATE "default" AND suspends)::int)
    || r.digests || convert_to(concat_ws(E'\\n', k.ring_id, k.app_id, k.tenant, r.lines), 'UTF8')
FROM keyrings k CROSS JOIN LATERAL (
    SELECT count(*) AS pairs,
        string_agg(sha256(convert_to(left(public_key, -$2::int), 'UTF8')) || secret_digest
            || set_byte('\\x00', 0, coalesce(array_position($3::text[], status), status::int) - 1), '') AS digests,
        string_agg(concat_ws(E'\\n', pair_id, lineage_id, CASE
            WHEN coalesce(valid_until, ends) IS NULL AND (ended_at IS NOT NULL OR scopes || allowed_origins || allowed_ips = '{}') THEN ''
            WHEN ended_at IS NULL THEN json_build_array(valid_until, ends, scopes, allowed_origins, allowed_ips)::text
            ELSE json_build_array(valid_until, ends, '{}'::text[], '{}'::text[], '{}'::text[])::text END), E'\\n') AS lines
    FROM (SELECT *, nullif(expires_at, 'infinity') AS ends,
            row_number() OVER (PARTITION BY ended_at IS NULL ORDER BY ended_at DESC, pair_id DESC) AS nth
        FROM pairs WHERE ring_id = k.ring_id COLLATE "default"
    ) p WHERE ended_at IS NULL OR nth <= $1
) r WHERE r.pairs > 0
"""  # ring by ring: the first come at once, nothing is sorted on disk. The index knows no other collation; an unknown status is no int


async def packed_rings(db: asyncpg.Connection, at_once: int = _AT_ONCE) -> AsyncGenerator[Sequence[bytes], None]:
    """Pages of rings with their open pairs and the last ended ones, in `db`'s open transaction. Raises DataError at an unknown status."""
    cursor = await db.cursor(_RINGS, ENDED_KEPT, CHECK, STATUSES)
    coming = asyncio.ensure_future(cursor.fetch(at_once))
    try:
        while page := await coming:
            coming = asyncio.ensure_future(cursor.fetch(at_once))
            await asyncio.sleep(0)  # the question goes out, and is worked on while the caller has this page
            yield [packed for (packed,) in page]
    finally:  # whoever leaves early gets a connection that is not in use
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)
