"""Overview, series, list and file: filters, zones, dates, pages, and rows that are exactly those asked for."""

import csv
import io
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import product
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from latchkey.events.keys import KeyPairGenerated
from latchkey.keyformat import Environment, Kind

from services.metrics.projections.pairs import Pairs
from tests.metrics.shop import MADE, Shop, ago, key_text, pair, told, transaction

pytestmark = pytest.mark.stack
COLUMNS = "Transaction ID,Creation Date ({zone}),Last Update ({zone}),Payment Mode,Payment Gateway,Currency,Amount,Status"
TODAY = datetime.now(UTC).date()


def day(days_ago: int) -> str:
    return (TODAY - timedelta(days=days_ago)).isoformat()


async def lines_of(shop: Shop, **params: Any) -> list[list[str]]:
    answer = await shop.get("transactions.csv", **params)
    assert answer.status_code == 200, answer.text
    return list(csv.reader(io.StringIO(answer.text)))


async def test_an_app_without_transactions_has_zeros(shop: Shop) -> None:
    """S35."""
    found = (await shop.get("overview")).json()
    assert (found["total"], found["today"], found["by_status"], found["amounts"]) == (0, 0, [], [])
    assert (await shop.get("transactions")).json() == {"items": [], "next_cursor": None}


async def test_the_overview_counts_by_status_and_never_adds_currencies(shop: Shop) -> None:
    """S34–S36."""
    await shop.record(
        transaction(1), transaction(2, amount="2.50"), transaction(3, currency="USD"), transaction(4, status="failed"),
        transaction(5, occurred_at=ago(40)),
    )  # fmt: skip
    answer = await shop.get("overview")
    found = answer.json()
    assert (found["app_id"], found["timezone"], found["lag_seconds"]) == (shop.app, "UTC", 0)
    assert abs(datetime.fromisoformat(found["as_of"]) - datetime.now(UTC)) < timedelta(minutes=1)
    assert (found["total"], found["today"]) == (5, 4)
    assert found["by_status"] == [
        {"status": "succeeded", "count": 4, "amounts": [{"currency": "EUR", "amount": "4.50"}, {"currency": "USD", "amount": "1.00"}]},
        {"status": "failed", "count": 1, "amounts": [{"currency": "EUR", "amount": "1.00"}]},
    ]
    assert found["amounts"] == [{"currency": "EUR", "amount": "5.50"}, {"currency": "USD", "amount": "1.00"}]


async def test_every_filter_changes_the_numbers_the_list_and_the_file(shop: Shop) -> None:
    """S37."""
    shop.judge.hold(pair(shop.app, "kp_2", lineage_id="ln_kp_1"))
    shop.judge.hold(pair(shop.app, "kp_t", environment="test"))
    generated = KeyPairGenerated(
        ring_id="kr_1",
        app_id=shop.app,
        environment="live",
        pair_id="kp_2",
        lineage_id="ln_kp_1",
        public_key="lk_pk",
        secret_last_four="abcd",
    )
    await Pairs().apply(shop.db, [told(generated, "kr_1")])
    await shop.record(transaction(1, payment_mode="card"), transaction(2, status="failed"), transaction(3, currency="USD"))
    await shop.record(transaction(4), transaction(5, occurred_at=ago(3)), key=key_text("kp_2"))
    await shop.record(transaction(6), key=key_text("kp_t", Kind.SECRET, Environment.TEST))
    wanted: list[tuple[dict[str, Any], set[int]]] = [
        ({}, {1, 2, 3, 4, 5, 6}),
        ({"status": "failed"}, {2}),
        ({"status": ["failed", "succeeded"], "currency": ["EUR"]}, {1, 2, 4, 5, 6}),
        ({"currency": "USD"}, {3}),
        ({"environment": "test"}, {6}),
        ({"pair_id": "kp_1"}, {1, 2, 3}),
        ({"lineage_id": "ln_kp_1"}, {4, 5}),
        ({"payment_mode": "card"}, {1}),
        ({"first": day(4), "last": day(2)}, {5}),
        ({"first": day(0), "last": day(0), "status": "succeeded", "environment": "live"}, {1, 3, 4}),
    ]
    for filters, numbers in wanted:
        assert (await shop.get("overview", **filters)).json()["total"] == len(numbers), filters
        listed = (await shop.get("transactions", **filters)).json()["items"]
        assert {row["transaction_id"] for row in listed} == {f"t-{n}" for n in numbers}, filters
        _, *rows, last = await lines_of(shop, **filters)
        assert {row[0] for row in rows} == {f"t-{n}" for n in numbers}, filters
        assert last == [f"# {len(numbers)} rows"]


async def test_today_is_a_day_of_the_zone_whatever_the_dates_say(shop: Shop) -> None:
    """S40."""
    await shop.post(transaction(1))
    found = (await shop.get("overview", first=day(9), last=day(8), tz="Pacific/Auckland")).json()
    assert (found["total"], found["today"], found["timezone"]) == (0, 1, "Pacific/Auckland")


async def test_the_list_has_the_columns_and_comes_in_pages(shop: Shop) -> None:
    """S38."""
    await shop.record(*(transaction(n, occurred_at=ago(n), payment_mode="card", payment_gateway="demo") for n in range(5)))
    await shop.move("t-0", "refunded")
    first = (await shop.get("transactions", limit=3)).json()
    rest = (await shop.get("transactions", limit=3, cursor=first["next_cursor"])).json()
    assert [row["transaction_id"] for row in first["items"] + rest["items"]] == [f"t-{n}" for n in range(5)]
    assert rest["next_cursor"] is None
    top = first["items"][0]
    assert {
        "transaction_id",
        "creation_date",
        "last_update",
        "payment_mode",
        "payment_gateway",
        "currency",
        "amount",
        "status",
    } <= top.keys()
    assert (top["status"], top["payment_mode"], top["payment_gateway"]) == ("refunded", "card", "demo")
    assert top["last_update"] > top["creation_date"]


async def test_a_cursor_is_good_only_for_its_filters(shop: Shop) -> None:
    await shop.record(transaction(1), transaction(2))
    cursor = (await shop.get("transactions", limit=1)).json()["next_cursor"]
    other = await shop.get("transactions", limit=1, cursor=cursor, status="succeeded")
    assert (other.status_code, other.json()["code"]) == (422, "request.bad_cursor")


async def test_transactions_are_found_by_the_beginning_of_their_id(shop: Shop) -> None:
    """S38."""
    await shop.record(transaction("10"), transaction("11"), transaction("2%"), transaction("2"))
    assert {row["transaction_id"] for row in (await shop.get("transactions", transaction_id="t-1")).json()["items"]} == {"t-10", "t-11"}
    assert [row["transaction_id"] for row in (await shop.get("transactions", transaction_id="t-2%")).json()["items"]] == ["t-2%"]
    assert len(await lines_of(shop, transaction_id="t-2")) == 4


async def test_the_file_is_in_the_zone_that_was_asked_for(shop: Shop) -> None:
    """S38, S40."""
    await shop.post(transaction(1, occurred_at="2026-03-29T00:30:00Z", payment_mode='card, "gold"', payment_gateway="demo"))
    await shop.post(transaction(2, occurred_at="2026-03-29T01:30:00Z"))
    head, second, first, last = await lines_of(shop, tz="Europe/Berlin")
    assert ",".join(head) == COLUMNS.format(zone="Europe/Berlin")
    assert (first[1], second[1]) == ("2026-03-29T01:30:00+01:00", "2026-03-29T03:30:00+02:00")
    assert (first[3], first[4], first[6]) == ('card, "gold"', "demo", "1.00")
    assert last == ["# 2 rows"]


async def test_a_file_longer_than_a_page_has_every_row_once(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.metrics.queries.lists.FILE_PAGE", 7)
    same_moment = ago(1)
    await shop.record(*(transaction(n, occurred_at=same_moment) for n in range(50)))
    _, *rows, last = await lines_of(shop)
    assert sorted(row[0] for row in rows) == sorted(f"t-{n}" for n in range(50))
    assert last == ["# 50 rows"]


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"first": day(1)}, "metrics.dates_incomplete"),
        ({"last": day(1)}, "metrics.dates_incomplete"),
        ({"first": day(1), "last": day(2)}, "metrics.dates_reversed"),
        ({"first": day(91), "last": day(0)}, "metrics.dates_too_far_apart"),
        ({"first": "2026-01-09", "last": "2026-01-10"}, "metrics.dates_too_early"),
        ({"first": day(0), "last": day(-1)}, "metrics.dates_in_future"),
    ],
)
async def test_each_rule_of_dates_has_its_own_refusal(shop: Shop, params: dict[str, str], code: str) -> None:
    """S39; the zone is UTC, so the test is of no day that another zone already has."""
    for path in ("transactions", "transactions.csv"):
        answer = await shop.get(path, **params)
        assert (answer.status_code, answer.json()["code"]) == (422, code)


async def test_the_90_days_bind_neither_overview_nor_series(shop: Shop) -> None:
    """S39."""
    for path in ("overview", "timeseries"):
        assert (await shop.get(path, first="2025-01-01", last=day(0))).status_code == 200


@pytest.mark.parametrize("params", [{"first": "2020-01-01", "last": "9999-12-31"}, {"first": "0001-01-01", "last": "2026-01-01"}])
async def test_the_ends_of_the_calendar_are_dates(shop: Shop, params: dict[str, str]) -> None:
    assert (await shop.get("overview", tz="Asia/Tokyo", **params)).status_code == 200
    for bucket in ("hour", "day", "week"):
        answer = await shop.get("timeseries", tz="Asia/Tokyo", bucket=bucket, **params)
        assert (answer.status_code, answer.json()["code"]) == (422, "metrics.too_many_points")


async def test_the_first_transaction_may_be_before_the_app(shop: Shop) -> None:
    """S39."""
    await shop.post(transaction(1, occurred_at=(MADE - timedelta(days=30)).isoformat()))
    first, last = (MADE - timedelta(days=30)).date(), MADE.date()
    assert len((await shop.get("transactions", first=first.isoformat(), last=last.isoformat())).json()["items"]) == 1
    too_early = await shop.get("transactions", first=(first - timedelta(days=1)).isoformat(), last=last.isoformat())
    assert too_early.json()["code"] == "metrics.dates_too_early"
    assert first.isoformat() in too_early.json()["detail"]


@pytest.mark.parametrize("path", ["overview", "timeseries", "transactions", "transactions.csv"])
@pytest.mark.parametrize(
    "params", [{"tz": "Mars/Olympus"}, {"tz": "../etc/passwd"}, {"tz": "Europe"}, {"status": "lost"}, {"zone": "UTC"}, {"payment_mode": ""}]
)
async def test_what_no_filter_knows_is_422(shop: Shop, path: str, params: dict[str, str]) -> None:
    assert (await shop.get(path, **params)).status_code == 422


@pytest.mark.parametrize(("zone", "date", "hours"), [("Europe/Berlin", "2026-03-29", 23), ("Europe/Berlin", "2025-10-26", 25)])
async def test_a_day_on_which_clocks_change_is_exact(shop: Shop, zone: str, date: str, hours: int) -> None:
    """S40."""
    start = datetime.fromisoformat(date).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    edges = [start - timedelta(minutes=1), *(start + timedelta(hours=n) for n in range(hours)), start + timedelta(hours=hours)]
    await shop.record(*(transaction(n, occurred_at=moment.isoformat()) for n, moment in enumerate(edges)))
    found = (await shop.get("timeseries", tz=zone, first=date, last=date, bucket="hour")).json()
    assert [point["count"] for point in found["points"]] == [1] * hours
    for bucket in ("day", "week"):
        points = (await shop.get("timeseries", tz=zone, first=date, last=date, bucket=bucket)).json()["points"]
        assert [point["count"] for point in points] == [hours]
    assert (await shop.get("overview", tz=zone, first=date, last=date)).json()["total"] == hours


ZONES = ["UTC", "America/New_York", "Asia/Tokyo", "Asia/Kathmandu", "Pacific/Auckland", "Australia/Lord_Howe", "Pacific/Apia"]
OF_ANOTHER_APP = """
INSERT INTO {table} SELECT (other).* FROM (
    SELECT jsonb_populate_record(cell, '{{"app_id": "app_of_others"}}') AS other FROM {table} cell WHERE app_id = $1
)
"""


@pytest.mark.parametrize("first", [date(2026, 3, 3), date(2026, 4, 1), date(2026, 9, 22)])
@pytest.mark.parametrize(("bucket", "days"), [("day", 1), ("week", 7)])
async def test_a_series_is_the_recount_in_every_zone(shop: Shop, bucket: str, days: int, first: date) -> None:
    """S40, over the nights on which clocks change; of one app and, by a filter, of every second transaction."""
    begun, last = datetime(first.year, first.month, first.day, 0, 10, tzinfo=UTC) - timedelta(days=3), first + timedelta(days=11)
    moments = [begun + timedelta(minutes=83 * n) for n in range(330)]
    sent = [
        transaction(n, occurred_at=moment.isoformat(), amount=f"{moment.day}.{moment.minute:02}", currency=("EUR", "USD")[n % 2])
        for n, moment in enumerate(moments)
    ]
    assert (await shop.record(*sent)).status_code == 201
    for table in ("rollups", "daily"):
        await shop.db.execute(f"DELETE FROM {table} WHERE app_id = 'app_of_others'")
        await shop.db.execute(OF_ANOTHER_APP.format(table=table), shop.app)
    for zone, (filters, counted) in product(map(ZoneInfo, ZONES), (({}, moments), ({"currency": "USD"}, moments[1::2]))):
        asked = {"tz": zone.key, "first": f"{first}", "last": f"{last}", "bucket": bucket} | filters
        points = (await shop.get("timeseries", **asked)).json()["points"]
        monday = first - timedelta(days=first.weekday() if days > 1 else 0)
        expected = [(0, Decimal(0)) for _ in points]
        for moment in counted:
            if first <= (local := moment.astimezone(zone).date()) <= last:
                count, amount = expected[place := (local - monday).days // days]
                expected[place] = count + 1, amount + Decimal(f"{moment.day}.{moment.minute:02}")
        assert [(point["count"], sum(Decimal(one["amount"]) for one in point["amounts"])) for point in points] == expected, asked


async def test_a_series_has_no_gaps_and_begins_with_the_first_transaction(shop: Shop) -> None:
    await shop.post(transaction(1, occurred_at=(MADE - timedelta(days=1)).isoformat()))
    points = (await shop.get("timeseries")).json()["points"]
    assert points[0]["start"][:10] == (MADE - timedelta(days=1)).date().isoformat()
    assert len(points) == (TODAY - (MADE - timedelta(days=1)).date()).days + 1
    assert [point["count"] for point in points[:2]] == [1, 0]


async def test_too_many_points_are_refused(shop: Shop) -> None:
    answer = await shop.get("timeseries", first="2020-01-01", last=day(0), bucket="hour")
    assert (answer.status_code, answer.json()["code"]) == (422, "metrics.too_many_points")


async def test_late_data_restates_its_day_and_what_was_reported_stays(shop: Shop) -> None:
    """Numbers that stay true: as reported and as corrected."""
    await shop.post(transaction(1, occurred_at=ago(2)))
    await shop.post(transaction(2))
    await shop.move("t-1", "refunded")
    points = (await shop.get("timeseries", first=day(2), last=day(0))).json()["points"]
    assert [(point["count"], point["as_reported"]) for point in points] == [
        (1, {"count": 0, "amounts": []}), (0, {"count": 0, "amounts": []}), (1, None)
    ]  # fmt: skip
    assert all(point["as_reported"] is None for point in (await shop.get("timeseries", tz="Asia/Kolkata")).json()["points"])


async def test_a_read_waits_for_an_app_that_is_on_its_way(shop: Shop) -> None:
    await shop.db.execute("INSERT INTO latchkey.seen VALUES ('apps', 1, $1, 1)", shop.app)
    from tests import tokens

    headers = tokens.person("acc_owner")
    at_once = await shop.http.get(f"/v1/apps/{shop.app}/overview", headers={**headers, "event-position": f"registry/{shop.app}/1"})
    assert at_once.status_code == 200
    wrong = await shop.http.get(f"/v1/apps/{shop.app}/overview", headers={**headers, "event-position": "nonsense"})
    assert wrong.status_code == 400
