"""I6: the inline view of the rings equals the fold of their log, written live or in one go; deadlines and usage reach their rows."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from services.keys.commands import KeyCommands
from services.keys.domain.events import KeyringEvent
from services.keys.projections.keyrings import Keyrings
from services.keys.projections.usage import UsageCounter, fold
from services.keys.settings import Settings
from services.keys.timers import Deadlines
from services.keys.wiring import EVENTS, build_core
from shared.store.log import page
from shared.store.records import Meta, Recorded, Row
from tests.keys.conftest import Running, serving
from tests.shared.until import until

pytestmark = pytest.mark.stack


async def _rows(db: asyncpg.Connection, suffix: str) -> list[list[tuple[Any, ...]]]:
    return [[tuple(row) for row in await db.fetch(f"SELECT * FROM {name}{suffix} ORDER BY 1, 2")] for name in Keyrings.names]


def _recorded(row: Row) -> Recorded[KeyringEvent]:
    event = EVENTS.decode(row.type, row.schema_version, row.data, stream_id=row.stream_id, ciphers={})
    return Recorded(row.stream_id, row.version, event, Meta("", "", ""), row.recorded_at, row.public_version)


async def test_the_view_written_in_one_go_equals_the_live_one(keys: Running) -> None:
    first = await keys.generate(scopes=["a"], allowed_ips=["10.0.0.0/8"])
    second = await keys.regenerate(first, overlap_seconds=60)
    third = await keys.regenerate(second, overlap_seconds=60)
    await keys.post(second, "rotation/rollback")
    third = await keys.regenerate(second, overlap_seconds=60)
    await keys.post(second, "rotation/finish")
    await keys.post(third, "disable")
    await keys.post(third, "enable")
    live = await keys.generate("live")
    await keys.post(live, "revoke", {"reason": "leaked"})
    entries = await page(keys.db, 0, 2**62, 100_000)
    recorded = [_recorded(entry.row) for entry in entries]
    async with keys.db.transaction():
        await keys.db.execute(Keyrings().tables("_v2"))
        await Keyrings().apply(keys.db, "_v2", recorded)
        await keys.db.execute(Keyrings().indexes("_v2"))
    try:
        assert await _rows(keys.db, "_v2") == await _rows(keys.db, "_v1")
    finally:
        await keys.db.execute("DROP TABLE keyrings_v2, ring_standings_v2, pairs_v2")


async def test_overlaps_and_expiries_are_written_in_their_instant(keys: Running, settings: Settings) -> None:
    """S49."""
    old = await keys.generate()
    await keys.regenerate(old, overlap_seconds=1)
    expiring = await keys.generate("live", expires_at=(datetime.now(UTC) + timedelta(seconds=1.2)).isoformat())

    async def both_ended() -> bool:
        shown = (await keys.http.get(keys.path, headers=keys.me)).json()["items"]
        return {"retired", "expired"} <= {pair["status"] for pair in shown}

    async with build_core(settings) as core:
        deadlines = Deadlines(KeyCommands(core.keyrings, core.whereabouts, core.clock.now), core.queries, core.clock.now)
        ticking = asyncio.create_task(_for_ever(deadlines))
        await until(both_ended)
        ticking.cancel()
        await asyncio.gather(ticking, return_exceptions=True)
    ends = {
        row["type"]: row["late"]
        for row in await keys.db.fetch(
            """SELECT e.type, extract(epoch FROM e.recorded_at - least(p.valid_until, p.expires_at))::float8 AS late
               FROM es.events e JOIN pairs p ON p.pair_id = coalesce(e.data->>'pair_id', e.data->>'old_pair_id')
               WHERE p.pair_id = ANY($1) AND e.type IN ('keys.KeyRotationFinished', 'keys.KeyExpired', 'keys.KeyDisabled')""",
            [old["pair_id"], expiring["pair_id"]],
        )
    }
    assert set(ends) == {"keys.KeyRotationFinished", "keys.KeyDisabled", "keys.KeyExpired"}
    assert all(0 <= late < 1 for late in ends.values())


async def _for_ever(deadlines: Deadlines) -> None:
    while True:
        await deadlines.settle()


async def test_usage_is_counted_by_the_hour_and_shown(keys: Running) -> None:
    made = await keys.generate()
    before = (await keys.http.get(f"{keys.path}/{made['pair_id']}/usage", headers=keys.me)).json()
    assert before == {"last_used_at": None, "total": 0, "hours": []}
    ten = datetime(2026, 11, 23, 10, tzinfo=UTC)
    moment = [ten.timestamp() + 59 * 60]
    async with asyncpg.create_pool(keys.settings.database_url, min_size=1, max_size=2) as pool:
        counter = UsageCounter(pool, lambda: moment[0])
        for _ in range(2):
            counter.count(made["pair_id"])
        await counter.flush()
        moment[0] += 120
        counter.count(made["pair_id"])
        await counter.flush()
    answer = await keys.http.get(f"{keys.path}/{made['pair_id']}/usage", params={"hours": 2160}, headers=keys.me)
    usage = answer.json()
    assert [hour["calls"] for hour in usage["hours"]] == [2, 1]
    assert usage["total"] == 3
    assert datetime.fromisoformat(usage["last_used_at"]) == ten + timedelta(minutes=61)


async def test_hours_long_ago_become_one_number(keys: Running) -> None:
    made = await keys.generate()
    now = datetime.now(UTC)
    async with asyncpg.create_pool(keys.settings.database_url, min_size=1, max_size=2) as pool:
        for days in (200, 100, 100, 89, 0):
            counter = UsageCounter(pool, lambda days=days: (now - timedelta(days=days)).timestamp())  # type: ignore[misc]  # a default binds the loop's value
            counter.count(made["pair_id"])
            await counter.flush()
            await fold(pool, now)
    hours = await keys.db.fetch("SELECT hour, calls FROM key_calls WHERE pair_id = $1 ORDER BY hour", made["pair_id"])
    assert [row["calls"] for row in hours] == [3, 1, 1]
    usage = (await keys.http.get(f"{keys.path}/{made['pair_id']}/usage", params={"hours": 2160}, headers=keys.me)).json()
    assert (usage["total"], [hour["calls"] for hour in usage["hours"]]) == (5, [1, 1])


async def test_what_cannot_be_written_is_counted_later(keys: Running) -> None:
    made = await keys.generate()
    pool = await asyncpg.create_pool(keys.settings.database_url, min_size=1, max_size=1)
    counter = UsageCounter(pool)
    counter.count(made["pair_id"])
    await keys.db.execute("ALTER TABLE key_calls RENAME TO key_calls_away")
    await counter.flush()
    await keys.db.execute("ALTER TABLE key_calls_away RENAME TO key_calls")
    counter.count(made["pair_id"])
    await counter.flush()
    await pool.close()
    assert await keys.db.fetchval("SELECT calls FROM key_calls WHERE pair_id = $1", made["pair_id"]) == 2


async def test_accepted_keys_are_counted_and_written_at_the_latest_when_the_process_ends(settings: Settings, keys: Running) -> None:
    async with serving(settings) as ending:
        made = await ending.generate()
        for _ in range(3):
            await ending.code(made["secret_key"])
        await ending.post(made, "disable")
        assert await ending.code(made["secret_key"]) == "DISABLED"
    assert await keys.db.fetchval("SELECT calls FROM key_calls WHERE pair_id = $1", made["pair_id"]) == 3
