"""The verifier's table when its feed is away: nothing is believed, and waiting is bounded."""

import asyncio

import asyncpg
import pytest
from latchkey.keyformat import Kind
from latchkey.rings import RingRecord

from services.keys.domain.keyring import Keyring, fold
from services.keys.projections.verifier_table import MOST_WAITING, TableBusy, TableStale, VerifierTable
from services.keys.publications import ring_record
from shared.wake import LocalWake
from tests.keys.builders import generated, key


async def _unreachable() -> asyncpg.Connection:
    raise OSError("nobody is there")


def _table() -> VerifierTable:
    return VerifierTable(_unreachable, LocalWake(), bound_seconds=0.05)


def _key(name: str) -> str:
    return key(Kind.SECRET, name)


def _ring() -> RingRecord:
    return ring_record(fold(Keyring("kr_1"), generated("kp_1")), 2)


async def test_a_table_that_was_never_loaded_is_not_fresh_whatever_it_was_told() -> None:
    table = _table()
    table.put(_ring())
    with pytest.raises(TableStale):
        table.look_up(_key("kp_1"))
    assert not table.fresh
    assert table.age_seconds == float("inf")


async def test_an_unknown_key_is_waited_for_no_longer_than_twice_the_bound() -> None:
    now = 0.0
    table = VerifierTable(_unreachable, LocalWake(), bound_seconds=0.05, clock=lambda: now)
    first = table.settled()
    now = 0.06
    second = table.settled()
    now = 0.11
    async with asyncio.timeout(5):
        await first
        with pytest.raises(TableStale):
            table.look_up(_key("kp_1"))
        assert not second.done()
        now = 0.17
        await second


async def test_no_more_than_so_many_wait() -> None:
    """I12."""
    table = _table()
    waiting = [table.settled() for _ in range(MOST_WAITING)]
    with pytest.raises(TableBusy):
        table.settled()
    await asyncio.gather(*waiting)
    await table.settled()


async def test_while_the_database_is_away_it_keeps_trying_and_stays_stale() -> None:
    table = _table()
    running = asyncio.create_task(table.run())
    await asyncio.sleep(0.12)
    assert not running.done()
    assert not table.fresh
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
