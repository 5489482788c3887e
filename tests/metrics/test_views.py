"""Views: the sum of cells is the recount, whatever moves; months get partitions; foreign views hear in any order."""

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from latchkey.events.identity import AccountErased
from latchkey.events.registry import AppArchived, AppDisabled, AppEnabled, AppRegistered, AppRestored

from services.metrics.domain.statuses import MOVES, Status
from services.metrics.projections.apps import Apps
from services.metrics.settings import Settings
from services.metrics.timers import Months
from services.metrics.wiring import EVENTS, SERVICE, VIEWS, build_toolbox
from shared.ops.kit import run_ops
from shared.store.log import page
from shared.store.records import Meta, Recorded
from stack.databases import Database
from tests.metrics.shop import MADE, Shop, told, transaction

pytestmark = pytest.mark.stack

CELLS = """
SELECT date_bin('15 minutes', occurred_at, 'epoch') AS start, environment, status, currency, coalesce(payment_mode, '') AS payment_mode,
    pair_id, count(*) AS count, sum(amount) AS amount
FROM transactions WHERE app_id = $1 GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 2, 3, 4, 5, 6
"""
ROLLED = """
SELECT start, environment, status, currency, payment_mode, pair_id, count, amount FROM rollups WHERE app_id = $1 AND count <> 0
ORDER BY 1, 2, 3, 4, 5, 6
"""
LEFT_OVER = "SELECT count(*) FROM {} WHERE app_id = $1 AND (count < 0 OR (count = 0 AND amount <> 0))"
DAYS = """
SELECT date_trunc('day', start, 'UTC'), environment, status, currency, payment_mode, pair_id, sum(count), sum(amount)
FROM rollups WHERE app_id = $1 GROUP BY 1, 2, 3, 4, 5, 6 HAVING sum(count) <> 0 ORDER BY 1, 2, 3, 4, 5, 6
"""
DAILY = """
SELECT start, environment, status, currency, payment_mode, pair_id, count, amount FROM daily WHERE app_id = $1 AND count <> 0
ORDER BY 1, 2, 3, 4, 5, 6
"""


def some_transaction(number: int, chance: random.Random) -> dict[str, Any]:
    moment = datetime.now(UTC) - timedelta(minutes=chance.randrange(60 * 24 * 3))
    return transaction(
        number, amount=f"{chance.randrange(100)}.{chance.randrange(100):02}", currency=chance.choice(["EUR", "USD"]),
        status=chance.choice(list(Status)), payment_mode=chance.choice([None, "card", "wallet"]), occurred_at=moment.isoformat(),
    )  # fmt: skip


@pytest.mark.parametrize("seed", [1, 2])
async def test_the_sum_of_cells_equals_the_recount_after_random_moves(shop: Shop, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  # a random test, and no secret
    sent = [some_transaction(number, chance) for number in range(120)]
    assert (await shop.record(*sent)).status_code == 201
    present = {one["transaction_id"]: Status(one["status"]) for one in sent}
    for _ in range(80):
        transaction_id, wanted = chance.choice(list(present)), chance.choice(list(Status))
        allowed = wanted is present[transaction_id] or wanted in MOVES[present[transaction_id]]
        assert (await shop.move(transaction_id, wanted)).status_code == (200 if allowed else 409)
        present[transaction_id] = wanted if allowed else present[transaction_id]
    rows = await shop.db.fetch("SELECT transaction_id, status FROM transactions WHERE app_id = $1", shop.app)
    assert {row["transaction_id"]: row["status"] for row in rows} == present
    assert await shop.db.fetch(CELLS, shop.app) == await shop.db.fetch(ROLLED, shop.app)
    assert await shop.db.fetch(DAYS, shop.app) == await shop.db.fetch(DAILY, shop.app)
    for table in ("rollups", "daily"):
        assert await shop.db.fetchval(LEFT_OVER.format(table), shop.app) == 0


async def test_every_view_rebuilt_from_the_log_is_equal(shop: Shop) -> None:
    chance = random.Random(4)  # noqa: S311  # a random test, and no secret
    sent = [some_transaction(number, chance) for number in range(60)]
    await shop.record(*sent)
    for told_before in sent:
        await shop.move(told_before["transaction_id"], chance.choice(list(Status)))
    await shop.post(transaction(1), origin="https://shop.example")
    rows = await page(shop.db, 0, 10**9, 10**6)
    events = [
        Recorded(
            row.stream_id, row.version, EVENTS.decode(row.type, row.schema_version, row.data, stream_id=row.stream_id, ciphers={}),
            Meta("a", "t", "c"), row.recorded_at, row.public_version,
        )
        for row in (found.row for found in rows)
    ]  # fmt: skip
    for view in VIEWS:
        await shop.db.execute(view.tables("_v9"))
        for at in range(0, len(events), 50):
            await view.apply(shop.db, "_v9", events[at : at + 50])
        await shop.db.execute(view.indexes("_v9"))
        for name in view.names:
            assert await shop.db.fetchval(f"SELECT count(*) FROM {name}") > 0
            for one, other in (("", "_v9"), ("_v9", "")):
                assert await shop.db.fetch(f"SELECT * FROM {name}{one} EXCEPT SELECT * FROM {name}{other}") == []
            await shop.db.execute(f"DROP TABLE {name}_v9")


async def test_months_are_made_by_the_services_own_role_and_rows_are_moved_into_them(shop: Shop, settings: Settings) -> None:
    month, place = datetime.now(UTC).strftime("y%Ym%m"), "SELECT tableoid::regclass::text FROM transactions_v1 WHERE app_id = $1"
    await shop.post(transaction(1))
    await shop.db.execute(f"""
        CREATE TEMP TABLE kept AS SELECT * FROM transactions_v1_{month};
        ALTER TABLE transactions_v1 DETACH PARTITION transactions_v1_{month}; DROP TABLE transactions_v1_{month};
        INSERT INTO transactions_v1 SELECT * FROM kept; DROP TABLE kept""")
    assert await shop.db.fetchval(place, shop.app) == "transactions_v1_other"
    async with asyncpg.create_pool(settings.database_url, min_size=1, max_size=1) as pool:
        assert await Months(pool).make() == 1
        assert await Months(pool).make() == 0
    assert await shop.db.fetchval(place, shop.app) == f"transactions_v1_{month}"


async def test_the_next_three_months_and_the_last_24_have_partitions(shop: Shop) -> None:
    counted = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'transactions_v1'::regclass"
    assert await shop.db.fetchval(counted) == 24 + 1 + 3 + 1


async def test_history_beyond_the_months_is_kept_too(shop: Shop) -> None:
    await shop.post(transaction(1, occurred_at="1990-01-01T00:00:00Z"))
    assert (await shop.get("overview", first="1990-01-01", last="1990-01-01")).json()["total"] == 1


def registered(app_id: str, owner: str) -> AppRegistered:
    return AppRegistered(app_id=app_id, owner_id=owner, product_id="pay", name="x", country="DE", status="active", registered_at=MADE)


async def test_an_erased_owners_apps_are_nobodys_in_whichever_order_it_is_heard(shop: Shop) -> None:
    await shop.post(transaction(1))
    async with shop.db.transaction():
        await Apps().apply(
            shop.db, [told(AccountErased(account_id="acc_gone"), "acc_gone", 2), told(registered("app_late", "acc_gone"), "app_late")]
        )
        await Apps().apply(shop.db, [told(registered("app_early", "acc_going"), "app_early")])
        await Apps().apply(shop.db, [told(AccountErased(account_id="acc_going"), "acc_going", 2)])
    for app, account in (("app_late", "acc_gone"), ("app_early", "acc_going")):
        answer = await shop.get("overview", app=app, account=account)
        assert (answer.status_code, answer.json()["code"]) == (404, "metrics.app_not_found")


async def test_an_apps_status_follows_registry_and_it_stays_readable(shop: Shop) -> None:
    owner = "acc_owner"
    for event, status in (
        (AppDisabled(app_id=shop.app, owner_id=owner), "disabled"),
        (AppEnabled(app_id=shop.app, owner_id=owner), "active"),
        (AppArchived(app_id=shop.app, owner_id=owner), "archived"),
        (AppRestored(app_id=shop.app, owner_id=owner, status="disabled"), "disabled"),
    ):
        await Apps().apply(shop.db, [told(event, shop.app, 2)])
        assert await shop.db.fetchval("SELECT status FROM apps WHERE app_id = $1", shop.app) == status
        assert (await shop.get("overview")).status_code == 200


async def test_the_reading_role_cannot_write_and_the_service_cannot_change_the_log(shop: Shop, database: Database) -> None:
    await shop.post(transaction(1))
    read, app = await asyncpg.connect(database.read), await asyncpg.connect(database.app)
    try:
        for db, statement in (
            (read, "DELETE FROM transactions"),
            (read, "DELETE FROM apps"),
            (app, "DELETE FROM es.events"),
            (app, "DROP TABLE apps"),
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await db.execute(statement)
    finally:
        await read.close()
        await app.close()


async def test_operators_rebuild_every_view_and_prove_it_equal(shop: Shop, settings: Settings, database: Database) -> None:
    await shop.record(*(transaction(n) for n in range(20)))
    await shop.post(transaction(1), origin="https://shop.example")
    tools = build_toolbox(settings.model_copy(update={"owner_database_url": database.owner}))
    for view in VIEWS:
        assert await asyncio.to_thread(run_ops, SERVICE, lambda: tools, (), ["rebuild", view.name, "--verify"]) == 0
        assert await shop.db.fetchval("SELECT version FROM es.active WHERE projection = $1", view.name) > 1
    await shop.post(transaction(21))
    assert (await shop.get("overview")).json()["total"] == 21
