"""Each transaction is counted once, however many send it, in whichever order, through however many processes."""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx2
import pytest

from services.metrics.settings import Settings
from services.metrics.wiring import build_app
from shared.http.tokens import NeverRevoked, TokenChecker
from tests.metrics.shop import Shop, transaction
from tests.tokens import OneKey

pytestmark = pytest.mark.stack


@pytest.fixture
async def twin(shop: Shop, settings: Settings) -> AsyncIterator[Shop]:
    """A second process of the service, on the same database and with a writer of its own."""
    async with (
        build_app(settings, shop.judge, TokenChecker(OneKey(), NeverRevoked()), []) as app,
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://metrics") as http,
    ):
        yield replace(shop, http=http)


async def sent_until_answered(shop: Shop, numbers: list[int]) -> None:
    """As a client does: what was not decided is sent again."""
    for _ in range(20):
        answer = await shop.record(*(transaction(number) for number in numbers))
        if answer.status_code not in {409, 503}:
            assert answer.status_code == 201, answer.text
            return
    raise AssertionError(answer.text)


async def test_i8_the_same_transactions_through_two_processes_are_counted_once(shop: Shop, twin: Shop) -> None:
    chance, numbers = random.Random(5), list(range(40))  # noqa: S311  # an order, and no secret
    orders = [chance.sample(numbers, len(numbers)) for _ in range(4)] + [numbers[:20], numbers[20:]]
    await asyncio.gather(*(sent_until_answered((shop, twin)[place % 2], order) for place, order in enumerate(orders)))
    found = (await twin.get("overview")).json()
    assert (found["total"], found["amounts"]) == (40, [{"currency": "EUR", "amount": "40.00"}])
    assert await shop.db.fetchval("SELECT count(*) FROM transactions WHERE app_id = $1", shop.app) == 40
    assert await shop.db.fetchval("SELECT count(*) FROM es.events WHERE data ->> 'app_id' = $1", shop.app) == 40


async def test_i8_a_move_that_many_make_at_once_moves_one_cell_once(shop: Shop, twin: Shop) -> None:
    await shop.post(transaction(1, status="created"))
    moves = [(shop, twin)[n % 2].move("t-1", "succeeded") for n in range(6)]
    statuses = {answer.status_code for answer in await asyncio.gather(*moves)}
    assert 200 in statuses <= {200, 409}
    cells = await shop.db.fetch("SELECT status, count FROM rollups WHERE app_id = $1 AND count <> 0", shop.app)
    assert [tuple(cell) for cell in cells] == [("succeeded", 1)]


async def test_i8_cells_shared_by_two_processes_add_up(shop: Shop, twin: Shop) -> None:
    batches = [[*range(start, start + 25)] for start in range(0, 200, 25)]
    await asyncio.gather(*(sent_until_answered((shop, twin)[place % 2], batch) for place, batch in enumerate(batches)))
    assert await shop.db.fetchval("SELECT sum(count) FROM rollups WHERE app_id = $1", shop.app) == 200
    assert (await shop.get("overview")).json()["total"] == 200
