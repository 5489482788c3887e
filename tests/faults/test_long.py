"""Faults that take longer than a build may: repetitions, flapping parts, and a soak whose nemesis follows a printed seed."""

import asyncio
import os
import random
import time

import pytest
from latchkey.failpoint import FAILPOINTS

from tests.faults.conftest import under_load
from tests.faults.ledger import Ledger, check
from tests.faults.test_crashes import CRASHES, ELSEWHERE
from tests.product import Product

pytestmark = [pytest.mark.stack, pytest.mark.long, pytest.mark.timeout(3600)]

SOAK_SECONDS = int(os.environ.get("SOAK_SECONDS", "600"))


async def test_postgres_restarted_twenty_times_under_load(product: Product, ledger: Ledger) -> None:
    async with under_load(ledger):
        for _ in range(20):
            await asyncio.to_thread(product.stack.postgres.kill)
            await asyncio.to_thread(product.stack.postgres.start)
            await asyncio.sleep(2)
    told = await check(product, ledger)
    assert told["ok"] > 100


async def test_kafka_that_flaps(product: Product, ledger: Ledger) -> None:
    async with under_load(ledger, writers=2):
        for _ in range(5):
            await asyncio.to_thread(product.stack.kafka.kill)
            await asyncio.sleep(3)
            await asyncio.to_thread(product.stack.kafka.start)
            await asyncio.sleep(5)
    await check(product, ledger)


async def test_two_presses_a_thousand_times_make_one_pair_each(ledger: Ledger) -> None:
    developer = ledger.developer
    for _ in range(50):
        app = await developer.add_app()
        path = f"/v1/apps/{app['app_id']}/keys"
        first = await developer.generate(app["app_id"])
        for _ in range(20):
            etag = (await developer.call("GET", "keys", f"{path}/{first['pair_id']}")).headers["ETag"]
            presses = await asyncio.gather(
                *(
                    developer.call("POST", "keys", f"{path}/{first['pair_id']}/regenerate", json={}, headers={"If-Match": etag})
                    for _ in range(2)
                )
            )
            assert sorted(press.status_code for press in presses) == [201, 412]
            first = next(press.json() for press in presses if press.status_code == 201)
        items = (await developer.call("GET", "keys", path)).json()["items"]
        assert sum(item["status"] == "active" for item in items) == 1
        await developer.sign_in()  # an access token lives for five minutes


async def test_a_soak_with_a_random_nemesis(product: Product, ledger: Ledger) -> None:
    seed = int(os.environ.get("SOAK_SEED", str(time.time_ns() % 1_000_000)))
    print(f"SOAK_SEED={seed}")  # noqa: T201  # so that a failure can be had again
    chance = random.Random(seed)  # noqa: S311  # a nemesis, not a secret
    until = time.monotonic() + SOAK_SECONDS
    async with under_load(ledger, writers=3):
        while time.monotonic() < until:
            await _strike(product, chance)
            await asyncio.sleep(chance.uniform(0.5, 5))
    await check(product, ledger)


async def _strike(product: Product, chance: random.Random) -> None:
    name = chance.choice(sorted(product.processes))
    kind = chance.choice(["kill", "freeze", "crash", "part"])
    if kind == "kill":
        await asyncio.to_thread(product.kill, name)
        await asyncio.to_thread(product.start, name)
    elif kind == "freeze":
        product.freeze(name)
        await asyncio.sleep(chance.uniform(0.5, 8))
        product.thaw(name)
    elif kind == "crash":
        point = chance.choice(sorted(FAILPOINTS - ELSEWHERE))
        await asyncio.to_thread(product.kill, CRASHES[point])
        await asyncio.to_thread(product.start, CRASHES[point], FAILPOINT=point)
        await asyncio.to_thread(product.died, CRASHES[point], 5)
        await asyncio.to_thread(product.kill, CRASHES[point])
        await asyncio.to_thread(product.start, CRASHES[point])
    else:
        part = chance.choice([product.stack.postgres, product.stack.kafka, product.stack.valkey])
        await asyncio.to_thread(part.kill)
        await asyncio.sleep(chance.uniform(0, 3))
        await asyncio.to_thread(part.start)
