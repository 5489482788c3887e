"""Every crash point and every kill, under load; then the ledger is checked."""

import asyncio

import pytest
from latchkey.failpoint import FAILPOINTS

from tests.faults.conftest import under_load
from tests.faults.ledger import Ledger, check
from tests.product import Product

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]

CRASHES = {
    "append.before_commit": "metrics-main",
    "append.inside_commit": "metrics-main",
    "append.after_commit": "metrics-main",
    "relay.after_read": "metrics-worker",
    "relay.after_produce": "metrics-worker",
    "relay.before_cursor": "metrics-worker",
    "consumer.before_transaction": "keys-worker",
    "consumer.in_transaction": "keys-worker",
    "consumer.after_transaction": "keys-worker",
}
ELSEWHERE = {"rebuild.at_switch"}  # tests/shared/rebuild kills the operator's command there


def test_every_crash_point_has_a_test() -> None:
    assert CRASHES.keys() | ELSEWHERE == FAILPOINTS


@pytest.mark.parametrize("point", CRASHES)
async def test_a_crash_there_loses_nothing_and_doubles_nothing(product: Product, ledger: Ledger, point: str) -> None:
    name = CRASHES[point]
    async with under_load(ledger):
        await asyncio.to_thread(product.kill, name)
        await asyncio.to_thread(product.start, name, FAILPOINT=point)
        assert await asyncio.to_thread(product.died, name, 30), f"{point} was never reached"
        await asyncio.to_thread(product.start, name)
        await asyncio.sleep(1)
    told = await check(product, ledger)
    assert told["ok"] > 20


@pytest.mark.parametrize("name", ["metrics-main", "metrics-worker", "registry-main", "registry-worker", "keys-worker"])
async def test_a_killed_process_loses_nothing_and_doubles_nothing(product: Product, ledger: Ledger, name: str) -> None:
    async with under_load(ledger):
        await asyncio.to_thread(product.kill, name)
        await asyncio.sleep(0.5)
        await asyncio.to_thread(product.start, name)
        await asyncio.sleep(1)
    told = await check(product, ledger)
    assert told["ok"] > 20
