"""S34–S37 and S40: App Overview."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Page, expect

from tests.people import Developer
from tests.portal import shops
from tests.portal.conftest import SignedIn
from tests.portal.shops import assortment, sale

pytestmark = pytest.mark.stack


async def figures(page: Page) -> tuple[str, str]:
    """Total and today's, as they are shown."""
    return await page.locator("#total").inner_text(), await page.locator("#today").inner_text()


async def statuses(page: Page) -> dict[str, str]:
    """The count of each status, as it is shown."""
    rows = await page.locator("#statuses tr").all()
    return {await row.get_by_role("rowheader").inner_text(): await row.get_by_role("cell").first.inner_text() for row in rows}


async def choose(page: Page, *chosen: str) -> None:
    """Open the filters, set some (name, value, name, value, …), apply."""
    await page.locator("summary", has_text="Filters").click()
    for name, value in zip(chosen[::2], chosen[1::2], strict=True):
        field = page.locator(f"#{name}")
        await (field.select_option(value) if name in {"status", "environment", "pair_id"} else field.fill(value))
    await page.get_by_role("button", name="Apply").click()


async def test_s34_the_name_of_the_app_opens_its_overview(signed_in: SignedIn, developer: Developer) -> None:
    app = await developer.add_app(name="Corner Shop")
    page = await signed_in()
    await page.goto("/pay")
    await page.get_by_role("link", name="Corner Shop", exact=True).click()
    await expect(page).to_have_url(re.compile(f"/pay/apps/{app['app_id']}$"))
    await expect(page.get_by_role("heading", name="App Overview", level=1)).to_be_visible()
    await expect(page).to_have_title(re.compile("App Overview"))


async def test_a_transaction_of_long_ago_leaves_all_time_to_be_seen(signed_in: SignedIn, developer: Developer) -> None:
    """More days than metrics would send: the chart goes by weeks."""
    shop = await shops.opened(developer)
    await shop.sell(sale("order-old", days_ago=365 * 16), sale("order-new"))
    page = await signed_in()
    await page.goto(shop.path)
    await expect(page.locator("#total")).to_have_text("2")
    await expect(page.get_by_text("That did not work")).to_have_count(0)


async def test_s35_with_none_it_says_so_and_where_to_go_on(signed_in: SignedIn, developer: Developer) -> None:
    shop = await shops.opened(developer)
    page = await signed_in()
    await page.goto(shop.path)
    await expect(page.get_by_role("heading", name="No transaction yet.", exact=True)).to_be_visible()
    assert await figures(page) == ("0", "0")
    for words, tab in (("Get your API keys", "keys"), ("See how to send it", "gateway")):
        await page.goto(shop.path)
        await page.get_by_role("link", name=words).click()
        await expect(page).to_have_url(re.compile(f"/settings/{tab}$"))


async def test_s35_s36_total_todays_and_the_count_of_each_status(signed_in: SignedIn, developer: Developer) -> None:
    shop = await shops.opened(developer)
    await shop.sell(*assortment())
    page = await signed_in(timezone_id="UTC")
    await page.goto(shop.path + "?tz=UTC")
    assert await figures(page) == ("7", "3")
    assert await statuses(page) == {"Succeeded": "4", "Failed": "1", "Pending": "1", "Refunded": "1"}
    await expect(page.locator("#statuses")).to_contain_text("27.75")
    await expect(page.get_by_text(re.compile(r"As of \d\d:\d\d:\d\d UTC · \d+ s behind"))).to_be_visible()


FILTERS = {
    "status": ({"status": "failed"}, "1", {"Failed": "1"}),
    "currency": ({"currency": "EUR"}, "2", {"Succeeded": "2"}),
    "payment_mode": ({"payment_mode": "bank"}, "1", {"Succeeded": "1"}),
    "environment": ({"environment": "test"}, "1", {"Disputed": "1"}),
}


async def test_s37_each_filter_changes_the_numbers_and_stays_in_the_url(signed_in: SignedIn, developer: Developer) -> None:
    shop = await shops.opened(developer)
    await shop.sell(*assortment())
    other = shops.Shop(developer, shop.app_id, await shops.pair_of(developer, shop.app_id, "test"))
    await other.sell(sale("try-1", days_ago=40, status="disputed"))
    page = await signed_in()
    for chosen, total, shown in FILTERS.values():
        await page.goto(shop.path + "?tz=UTC")
        [(name, value)] = chosen.items()
        await choose(page, name, value)
        await expect(page).to_have_url(re.compile(f"[?&]{name}={value}"))
        await expect(page).not_to_have_url(re.compile("=(&|$)"))
        assert (await figures(page))[0] == total
        assert await statuses(page) == shown
        await page.reload()
        assert (await figures(page))[0] == total
    await page.goto(shop.path + "?tz=UTC")
    await choose(page, "pair_id", other.pair["pair_id"])
    await expect(page.locator("#total")).to_have_text("1")
    await page.get_by_role("link", name=re.compile("API key: .*remove")).click()
    await expect(page.locator("#total")).to_have_text("8")


async def test_s37_a_range_by_preset_and_by_dates(signed_in: SignedIn, developer: Developer) -> None:
    shop = await shops.opened(developer)
    await shop.sell(*assortment())
    page = await signed_in()
    await page.goto(shop.path + "?tz=UTC")
    for preset, total in (("Today", "3"), ("7 days", "4"), ("30 days", "6"), ("90 days", "7"), ("All time", "7")):
        await page.get_by_label("Date Range").get_by_role("link", name=preset).click()
        await expect(page.get_by_label("Date Range").get_by_role("link", name=preset)).to_have_attribute("aria-current", "true")
        await expect(page.locator("#total")).to_have_text(total)
        await expect(page.locator("#today")).to_have_text("3")
    today = str(datetime.now(UTC).date())
    await choose(page, "from", today, "to", today)
    await expect(page.locator("#total")).to_have_text("3")
    await expect(page.get_by_role("link", name="Custom")).to_have_attribute("aria-current", "true")


async def test_s37_nothing_left_is_told_apart_from_nothing_there(signed_in: SignedIn, developer: Developer) -> None:
    shop = await shops.opened(developer)
    await shop.sell(sale("order-1"))
    page = await signed_in()
    await page.goto(shop.path + "?status=disputed")
    await expect(page.get_by_role("heading", name="No transaction matches these filters")).to_be_visible()
    await page.get_by_role("link", name="Clear filters").click()
    await expect(page.locator("#total")).to_have_text("1")


async def test_s39_wrong_dates_are_marked_and_kept(signed_in: SignedIn, developer: Developer) -> None:
    shop = await shops.opened(developer)
    page = await signed_in()
    await page.goto(shop.path + "?from=2026-02-01&to=2026-01-01")
    await expect(page.get_by_role("alert")).to_contain_text("The first date must not be after the second.")
    await expect(page.get_by_label("From")).to_have_value("2026-02-01")


async def test_s40_today_is_meant_in_the_zone_that_the_page_shows(signed_in: SignedIn, developer: Developer) -> None:
    shop = await shops.opened(developer)
    now = datetime.now(UTC)
    ahead, behind = ZoneInfo("Pacific/Kiritimati"), ZoneInfo("Pacific/Niue")  # 25 hours apart: never the same day
    begun = now.astimezone(ahead).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
    hours_ago = (now - begun).total_seconds() / 3_600
    await shop.sell(sale("this-day-ahead", days_ago=hours_ago / 48), sale("the-day-before-ahead", days_ago=(hours_ago + 1) / 24))
    page = await signed_in()
    for zone in (ahead, behind):
        midnight = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
        sold = [now.timestamp() - hours_ago * 1_800, now.timestamp() - (hours_ago + 1) * 3_600]
        await page.goto(f"{shop.path}?tz={zone.key}")
        await expect(page.locator("#today")).to_have_text(str(sum(at >= midnight.timestamp() for at in sold)))
        await expect(page.locator("#figures")).to_contain_text(zone.key)
        await expect(page.get_by_text(f"days in {zone.key}")).to_be_visible()


async def test_the_chart_is_drawn_and_has_the_numbers_of_the_table(signed_in: SignedIn, developer: Developer) -> None:
    shop = await shops.opened(developer)
    await shop.sell(*assortment())
    page = await signed_in()
    await page.goto(shop.path + "?tz=UTC&range=30d")
    await expect(page.locator("#chart canvas")).to_be_visible()
    ink = "canvas => new Set(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data).size > 8"
    assert await page.locator("#chart canvas").evaluate(ink)
    await page.get_by_text("The same numbers as a table").click()
    rows = await page.locator("#series tr").all()
    assert len(rows) == 30
    assert await rows[-1].get_by_role("cell").first.inner_text() == "3"
    assert sum([int(await row.get_by_role("cell").first.inner_text()) for row in rows]) == 6
    box = await page.locator("#chart").bounding_box()
    assert box is not None
    await page.mouse.move(box["x"] + box["width"] - 20, box["y"] + box["height"] / 2)
    await expect(page.locator("#readout")).to_contain_text("3 transactions")


async def test_new_transactions_show_by_themselves_and_the_updates_can_be_paused(signed_in: SignedIn, developer: Developer) -> None:
    shop = await shops.opened(developer)
    page = await signed_in()
    await page.goto(shop.path)
    await expect(page.locator("#total")).to_have_text("0")
    await shop.sell(sale("order-1"))
    await expect(page.locator("#total")).to_have_text("1")
    await expect(page.locator("#chart canvas")).to_be_visible()
    await shop.sell(sale("order-2"))
    await expect(page.locator("#total")).to_have_text("2")
    pause = page.get_by_role("button", name="Pause updates")
    await pause.click()
    await expect(pause).to_have_attribute("aria-pressed", "true")
    await shop.sell(sale("order-3"))
    await page.reload()
    await expect(page.locator("#total")).to_have_text("3")


async def test_the_numbers_move_in_a_browser_that_cannot_run_the_chart(signed_in: SignedIn, developer: Developer) -> None:
    shop = await shops.opened(developer)
    await shop.sell(sale("order-1"))
    page = await signed_in()
    await page.route("**/uPlot.iife.min.js", lambda route: route.fulfill(content_type="text/javascript", body=""))
    await page.goto(shop.path)
    await expect(page.locator("#total")).to_have_text("1")
    await shop.sell(sale("order-2"))
    await expect(page.locator("#total")).to_have_text("2")


async def test_the_numbers_of_the_chart_as_a_file(signed_in: SignedIn, developer: Developer) -> None:
    shop = await shops.opened(developer)
    await shop.sell(*assortment())
    page = await signed_in()
    await page.goto(shop.path + "?tz=Asia/Tokyo&range=30d&currency=EUR")
    async with page.expect_download() as downloading:
        await page.get_by_role("link", name="Download CSV").click()
    lines = (await (await downloading.value).path()).read_text().splitlines()
    assert lines[0] == "Day from (Asia/Tokyo),Transactions,Amount EUR"
    assert len(lines) == 31
    assert sum(int(line.split(",")[1]) for line in lines[1:]) == 2
    assert all("T00:00:00+09:00," in line for line in lines[1:])


async def test_another_owners_app_is_a_page_that_is_not_there(signed_in: SignedIn, developer: Developer) -> None:
    stranger = Developer(developer.product, developer.http)
    await stranger.register()
    assert (await stranger.sign_in()).status_code == 201
    await stranger.subscribe()
    theirs = await stranger.add_app()
    page = await signed_in()
    for path in ("", "/transactions", "/transactions.csv", "/overview.csv", "/numbers"):
        answer = await page.request.get(f"/pay/apps/{theirs['app_id']}{path}")
        assert answer.status == 404, path
        assert theirs["name"] not in await answer.text()
