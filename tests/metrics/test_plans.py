"""Questions are planned for what they ask, however often they were asked before."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from services.metrics.queries.lists import ListQueries
from services.metrics.queries.matching import PLANNING
from services.metrics.queries.views import Filters
from shared.store.postgres import create_pool
from stack.databases import Database
from tests.metrics.shop import OWNER, Shop

pytestmark = pytest.mark.stack
OFTEN = 12
GENERIC, CUSTOM = (
    f"SELECT max({kind}_plans) FROM pg_prepared_statements WHERE parameter_types <> '{{}}'" for kind in ("generic", "custom")
)


async def test_a_question_asked_often_is_still_planned_for_its_values(shop: Shop, database: Database) -> None:
    pool = await create_pool(database.read, **PLANNING)
    try:
        lists, filters = ListQueries(pool), Filters(zone=ZoneInfo("UTC"))
        for number in range(OFTEN):
            await lists.list_transactions(OWNER, shop.app, filters, datetime.now(UTC), search=f"order-{number}", after=None, limit=51)
        assert [await pool.fetchval(kind) for kind in (GENERIC, CUSTOM)] == [0, OFTEN]
    finally:
        await pool.close()
