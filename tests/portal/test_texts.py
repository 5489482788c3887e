"""Whatever people enter is shown as they entered it: markup as text, every script, both directions."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.people import FORM, Developer
from tests.portal import shops
from tests.portal.browsers import enter
from tests.portal.conftest import SignedIn
from tests.portal.shops import sale

pytestmark = pytest.mark.stack
MARKUP = "<script>hacked=1</script>\"'><img src=x onerror=hacked=1>{{7*7}}"
NAMES = ["متجر الزاوية", "角の店", "Łódź & Straße", "חנות הפינה", "Магазин на углу", "🛒 Corner"]


async def untouched(page: Page) -> None:
    """No script of the text has run, and no element was made of it."""
    assert await page.evaluate("typeof hacked") == "undefined"
    assert await page.locator("img[src=x]").count() == 0


async def test_markup_in_every_field_of_an_app_is_text_on_every_page(signed_in: SignedIn, developer: Developer) -> None:
    page = await signed_in()
    await page.goto("/pay/apps/new")
    for label in ("App Name*", "Address*", "City (Optional)"):
        await page.get_by_label(label).fill(MARKUP)
    await page.get_by_label("Email*").fill("shop@example.com")
    await page.get_by_label("Country*").select_option("GB")
    await page.get_by_label("Zip Code/Postal Code*").fill("SW1A 1AA")
    await page.get_by_role("main").get_by_role("button", name="Add App", exact=True).click()
    await expect(page.get_by_role("link", name=MARKUP, exact=True)).to_be_visible()
    [app] = (await developer.call("GET", "registry", "/v1/apps")).json()["items"]
    assert (app["name"], app["address"], app["city"]) == (MARKUP, MARKUP, MARKUP)
    for path in ("", "/edit", "/transactions", "/settings/keys", "/settings/gateway", "/settings/domains", "/history"):
        await page.goto(f"/pay/apps/{app['app_id']}{path}")
        await untouched(page)
    await page.goto("/")
    await expect(page.get_by_role("link", name=MARKUP, exact=True)).to_be_visible()
    await untouched(page)
    await page.goto(f"/pay/apps/{app['app_id']}/edit")
    await expect(page.get_by_label("Address*")).to_have_value(MARKUP)


async def test_markup_in_a_refused_form_comes_back_as_text(signed_in: SignedIn) -> None:
    page = await signed_in()
    await page.goto("/pay/apps/new")
    for label in ("App Name*", "Email*", "Address*", "Phone Number (Optional)", "City (Optional)"):
        await page.get_by_label(label).fill(MARKUP)
    await page.get_by_label("Zip Code/Postal Code*").fill(MARKUP[:32])
    await page.get_by_role("main").get_by_role("button", name="Add App", exact=True).click()
    await expect(page.get_by_role("alert")).to_be_visible()
    for label in ("App Name*", "Email*", "Address*", "City (Optional)"):
        await expect(page.get_by_label(label)).to_have_value(MARKUP)
    await untouched(page)


async def test_markup_in_a_url_is_text_or_left_aside(signed_in: SignedIn, developer: Developer) -> None:
    shop = await shops.opened(developer)
    page = await signed_in()
    filters = ("cursor", "transaction_id", "payment_mode", "currency", "from", "to", "tz", "status", "pair_id", "range")
    for path, names in (("/pay", ("q", "cursor")), (shop.path, filters), (f"{shop.path}/transactions", filters)):
        for name in names:
            answer = await page.request.get(path, params={name: MARKUP})
            assert answer.status in {200, 400, 422}, (path, name)
            assert "<img src=x" not in await answer.text()
            assert "<script>hacked" not in await answer.text()


async def test_the_name_of_a_person_and_the_labels_of_a_transaction_are_text(page: Page, developer: Developer) -> None:
    account = await developer.call("GET", "identity", "/v1/account")
    renamed = await developer.call(
        "PATCH", "identity", "/v1/account", json={"name": MARKUP[:60]}, headers={"If-Match": account.headers["ETag"]}
    )
    assert renamed.status_code == 200, renamed.text
    shop = await shops.opened(developer)
    await shop.sell(sale("x<img/src=x/onerror=hacked=1>", payment_mode="x<img src=x onerror=hacked=1>", payment_gateway="y<b>bold</b>"))
    await enter(page, developer)
    await page.goto(f"{shop.path}/transactions")
    for text in ("x<img/src=x/onerror=hacked=1>", "x<img src=x onerror=hacked=1>", "y<b>bold</b>"):
        await expect(page.get_by_role("row").filter(has_text=text)).to_have_count(1)
    await untouched(page)
    await page.goto("/account")
    await expect(page.get_by_text(MARKUP[:60]).first).to_be_visible()
    await untouched(page)


async def test_names_in_any_script_and_direction_are_kept_and_shown(signed_in: SignedIn) -> None:
    page = await signed_in()
    for name in NAMES:
        await register_and_open(page, name)


async def register_and_open(page: Page, name: str) -> None:
    """An app of this name, from the form to its overview."""
    await page.goto("/pay/apps/new")
    await page.get_by_label("App Name*").fill(name)
    await page.get_by_label("Address*").fill(name)
    await page.get_by_label("Email*").fill(FORM["email"])
    await page.get_by_label("Country*").select_option("GB")
    await page.get_by_label("Zip Code/Postal Code*").fill(FORM["postal_code"])
    await page.get_by_role("main").get_by_role("button", name="Add App", exact=True).click()
    link = page.get_by_role("link", name=name, exact=True)
    await expect(link).to_have_text(name)
    right = bool(re.match("[\u0590-\u06ff]", name))
    assert await link.evaluate("one => getComputedStyle(one).direction") == ("rtl" if right else "ltr")
    await link.click()
    await expect(page.get_by_role("navigation", name="App")).to_contain_text(name)
