"""PostgreSQL killed, Kafka stopped, Valkey stopped, under load; then the ledger is checked."""

import asyncio
import time

import pytest

from tests.faults.conftest import under_load
from tests.faults.ledger import Ledger, check
from tests.product import Product

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]


async def test_postgres_killed_and_started_again(product: Product, ledger: Ledger) -> None:
    async with under_load(ledger):
        await asyncio.to_thread(product.stack.postgres.kill)
        await asyncio.sleep(1)
        await asyncio.to_thread(product.stack.postgres.start)
        await asyncio.sleep(4)
    told = await check(product, ledger)
    assert told["ok"] > 20


async def test_kafka_stopped_for_twenty_seconds(product: Product, ledger: Ledger) -> None:
    async with under_load(ledger, writers=2):
        await asyncio.to_thread(product.stack.kafka.kill)
        written = sum(outcome == "ok" for outcome in ledger.told.values())
        await asyncio.sleep(20)
        await asyncio.to_thread(product.stack.kafka.start)
        await asyncio.sleep(6)
    told = await check(product, ledger)
    assert told["ok"] > written


async def test_redis_stopped_makes_it_slower_and_not_wrong(product: Product, ledger: Ledger) -> None:
    async with under_load(ledger):
        await asyncio.to_thread(product.stack.valkey.kill)
        before = sum(outcome == "ok" for outcome in ledger.told.values())
        await asyncio.sleep(2)
        during = sum(outcome == "ok" for outcome in ledger.told.values())
        assert (await ledger.developer.sign_in()).status_code == 201
        await asyncio.to_thread(product.stack.valkey.start)
    assert during > before
    await check(product, ledger)


async def test_a_revoked_key_is_refused_while_kafka_is_away(product: Product, ledger: Ledger) -> None:
    """I7: the keys service follows its own log, and metrics fails closed once its feed is older than the bound."""
    [pair] = (await ledger.developer.call("GET", "keys", f"/v1/apps/{ledger.app_id}/keys")).json()["items"]
    await asyncio.to_thread(product.stack.kafka.kill)
    try:
        revoke = f"/v1/apps/{ledger.app_id}/keys/{pair['pair_id']}/revoke"
        assert (await ledger.developer.call("POST", "keys", revoke, json={"reason": "leaked"})).status_code == 200
        revoked = time.monotonic()
        assert await ledger.developer.verdict(ledger.secret) == "REVOKED"
        await asyncio.sleep(max(0.0, 1.5 - (time.monotonic() - revoked)))
        refused = await ledger.developer.record(
            ledger.secret, {"transaction_id": "late", "amount": "1.00", "currency": "EUR", "status": "created"}
        )
        assert refused.status_code in {401, 503}
    finally:
        await asyncio.to_thread(product.stack.kafka.start)
    for _ in range(100):
        refused = await ledger.developer.record(
            ledger.secret, {"transaction_id": "late", "amount": "1.00", "currency": "EUR", "status": "created"}
        )
        assert refused.status_code in {401, 503}
        if refused.status_code == 401:
            return
        await asyncio.sleep(0.2)
    raise AssertionError("metrics never came back to a verdict")
