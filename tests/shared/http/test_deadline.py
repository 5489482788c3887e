"""A request whose store does not answer: it ends in time all the same, and says whether anything can have happened."""

import asyncio
import time
from typing import Annotated

import asyncpg
import httpx2 as httpx
import pytest

from shared.http.app import ServiceApp, create_app
from shared.http.caller import Anyone
from shared.http.routing import UNKEYED, Route, Router, provided
from shared.http.tokens import NeverRevoked, TokenChecker
from stack.testing import RealStack
from tests.faults.proxy import proxy_to
from tests.shared.http.toy_api import Number, settings
from tests.shared.until import until
from tests.tokens import OneKey

pytestmark = pytest.mark.stack
router = Router(prefix="/v1")
Pool = Annotated[asyncpg.Pool, provided(asyncpg.Pool)]


@router.get("/numbers")
async def read(caller: Anyone, pool: Pool) -> Number:
    """Ask the database."""
    assert caller is not None
    return Number(number=await pool.fetchval("SELECT 1"))


@router.post("/numbers", status_code=201, openapi_extra=UNKEYED)
async def write(caller: Anyone, pool: Pool) -> Number:
    """Ask the database, as a command would."""
    assert caller is not None
    async with pool.acquire() as db, db.transaction():
        return Number(number=await db.fetchval("SELECT 2"))


def asking(pool: asyncpg.Pool) -> ServiceApp:
    tokens = TokenChecker(OneKey(), NeverRevoked())
    return create_app("toy", routers=[router], provides=[pool], tokens=tokens, settings=settings())


async def test_a_database_that_is_cut_off_holds_no_request_beyond_its_deadline(stack: RealStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Route, "answer_seconds", 1.0)
    database = stack.fresh_database("cut")
    async with (
        proxy_to(database.app) as proxy,
        asyncpg.create_pool(proxy.url(database.app), min_size=1, max_size=1, command_timeout=30, timeout=5) as pool,
        httpx.AsyncClient(transport=httpx.ASGITransport(asking(pool)), base_url="http://toy") as api,
    ):
        assert (await api.get("/v1/numbers")).status_code == 200
        proxy.muted = True
        began = time.monotonic()
        # The second and the third wait for the only connection.
        answers = await asyncio.gather(api.post("/v1/numbers"), api.get("/v1/numbers"), api.post("/v1/numbers"))
        assert time.monotonic() - began < 5
        codes = [(answer.status_code, answer.json()["code"]) for answer in answers]
        unknown = (503, "service.outcome_unknown")
        assert codes == [unknown, (503, "service.unavailable"), unknown]
        proxy.cut()

        async def serves() -> bool:
            return (await api.get("/v1/numbers")).status_code == 200

        await until(serves, 30)
    stack.drop(database)
