"""S38 and S39: Transactions."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Page, expect

from tests.people import Developer
from tests.portal import shops
from tests.portal.conftest import SignedIn
from tests.portal.shops import assortment, sale

pytestmark = pytest.mark.stack
COLUMNS = ["Transaction ID", "Creation Date", "Last Update", "Payment Mode", "Payment Gateway", "Currency", "Amount", "Status"]
DAY = timedelta(days=1)


async def ids(page: Page) -> list[str]:
    """The transactions on the page, from the top."""
    return await page.locator("tbody th").all_inner_texts()


async def downloaded(page: Page) -> list[str]:
    """The lines of the file."""
    async with page.expect_download() as downloading:
        await page.get_by_role("link", name="Download").click()
    return (await (await downloading.value).path()).read_text().splitlines()


async def test_s38_eight_columns_the_newest_first(signed_in: SignedIn, developer: Developer) -> None:
    shop = await shops.opened(developer)
    await shop.sell(*assortment())
    page = await signed_in()
    await page.goto(f"{shop.path}/transactions?tz=UTC")
    assert await page.get_by_role("columnheader").all_inner_texts() == COLUMNS
    assert sorted(await ids(page)) == [f"order-{number}" for number in range(1, 8)]
    assert (await ids(page))[3:] == ["order-4", "order-5", "order-6", "order-7"]
    row = page.get_by_role("row", name=re.compile("order-6"))
    for text in ("card", "acme", "EUR", "7.25", "Succeeded", "UTC"):
        await expect(row).to_contain_text(text)


async def test_s38_search_by_id_and_filters_leave_the_rows_that_the_download_has(signed_in: SignedIn, developer: Developer) -> None:
    shop = await shops.opened(developer)
    await shop.sell(*assortment(), sale("refund-1", status="refunded"))
    page = await signed_in()
    await page.goto(f"{shop.path}/transactions?tz=Asia/Tokyo")
    await page.get_by_label("Search by Transaction ID").fill("order-")
    await page.get_by_role("button", name="Search").click()
    await expect(page.locator("tbody tr")).to_have_count(7)
    await page.locator("summary", has_text="Filters").click()
    await page.get_by_label("Status", exact=True).select_option("succeeded")
    await page.get_by_label("Currency", exact=True).fill("eur")
    await page.get_by_role("button", name="Apply").click()
    await expect(page.locator("tbody tr")).to_have_count(2)
    shown = await ids(page)
    header, *rows, last = await downloaded(page)
    assert header.split(",")[:3] == ["Transaction ID", "Creation Date (Asia/Tokyo)", "Last Update (Asia/Tokyo)"]
    assert [row.split(",")[0] for row in rows] == shown
    assert all("+09:00," in row for row in rows)
    assert last == "# 2 rows"


async def test_s38_a_range_that_begins_before_the_app_is_no_mistake_when_it_is_a_preset(signed_in: SignedIn, developer: Developer) -> None:
    shop = await shops.opened(developer)
    await shop.sell(sale("order-1"))
    page = await signed_in()
    await page.goto(f"{shop.path}/transactions")
    await page.get_by_label("Date Range").get_by_role("link", name="90 days").click()
    assert await ids(page) == ["order-1"]
    assert (await downloaded(page))[-1] == "# 1 rows"


def wrong_dates(today: datetime) -> dict[str, tuple[str, str, str]]:
    """From, to, and the sentence of each refusal."""
    first, last = str((today - DAY).date()), str(today.date())
    return {
        "one of two": (first, "", "Send both dates, or none."),
        "the other of two": ("", last, "Send both dates, or none."),
        "reversed": (last, first, "The first date must not be after the second."),
        "too far apart": (str((today - 91 * DAY).date()), last, "The dates may be at most 90 days apart."),
        "before everything": (str((today - 60 * DAY).date()), last, "The first date lies before the app was made and before its first"),
        "in the future": (first, str((today + 2 * DAY).date()), "Neither date may be after today."),
    }


async def test_s39_each_wrong_range_has_its_own_message_at_its_field(signed_in: SignedIn, developer: Developer) -> None:
    shop = await shops.opened(developer)
    await shop.sell(sale("order-1"), sale("order-2", days_ago=40))
    page = await signed_in()
    for begin, end, sentence in wrong_dates(datetime.now(UTC)).values():
        await page.goto(f"{shop.path}/transactions?tz=UTC")
        await page.locator("summary", has_text="Filters").click()
        await page.get_by_label("From").fill(begin)
        await page.get_by_label("To", exact=True).fill(end)
        async with page.expect_response(re.compile("/transactions\\?")) as answered:
            await page.get_by_role("button", name="Apply").click()
        assert (await answered.value).status == 422, sentence
        await expect(page.get_by_role("alert")).to_contain_text(sentence)
        await expect(page.get_by_role("alert")).to_be_focused()
        marked = page.locator("input[aria-invalid=true]")
        await expect(marked).to_have_count(1)
        await expect(page.locator(".field", has=marked)).to_contain_text(sentence)
        await expect(page.get_by_label("From")).to_have_value(begin)
        await expect(page.get_by_label("To", exact=True)).to_have_value(end)
        await expect(page.locator("tbody tr")).to_have_count(0)


async def test_s39_from_the_first_transaction_on_a_range_is_allowed_and_the_file_obeys_the_same_rules(
    signed_in: SignedIn, developer: Developer
) -> None:
    shop = await shops.opened(developer)
    await shop.sell(sale("order-1"), sale("order-2", days_ago=40))
    page = await signed_in()
    today = datetime.now(UTC)
    await page.goto(f"{shop.path}/transactions?tz=UTC&from={(today - 40 * DAY).date()}&to={today.date()}")
    assert await ids(page) == ["order-1", "order-2"]
    for begin, end, sentence in wrong_dates(today).values():
        answer = await page.request.get(f"{shop.path}/transactions.csv?tz=UTC&from={begin}&to={end}")
        assert answer.status == 422
        assert sentence in await answer.text()


async def test_ten_thousand_transactions_are_paged_and_downloaded(signed_in: SignedIn, developer: Developer) -> None:
    shop = await shops.opened(developer)
    await shop.sell(*(sale(f"order-{number:05}", days_ago=number / 1_000) for number in range(10_000)))
    page = await signed_in()
    await page.goto(shop.path)
    await expect(page.locator("#total")).to_have_text("10,000")
    await page.goto(f"{shop.path}/transactions")
    assert await ids(page) == [f"order-{number:05}" for number in range(50)]
    for turn in (1, 2):
        await page.get_by_role("link", name="Next 50").click()
        await expect(page.locator("tbody th").first).to_have_text(f"order-{50 * turn:05}")
    await page.get_by_role("link", name="Back to the newest").click()
    await expect(page.locator("tbody th").first).to_have_text("order-00000")
    lines = await downloaded(page)
    assert [line.split(",")[0] for line in lines[1:-1]] == [f"order-{number:05}" for number in range(10_000)]
    assert lines[-1] == "# 10000 rows"


async def test_with_no_transaction_it_says_so(signed_in: SignedIn, developer: Developer) -> None:
    shop = await shops.opened(developer)
    page = await signed_in()
    await page.goto(f"{shop.path}/transactions")
    await expect(page.get_by_role("heading", name="No transaction yet.", exact=True)).to_be_visible()
