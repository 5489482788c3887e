"""The whole guide in one go: without JavaScript, and by the keyboard alone."""

import re
from collections.abc import Awaitable, Callable

import pytest
from playwright.async_api import Locator, Page, expect

from tests.people import Developer
from tests.portal import shops
from tests.portal.browsers import Browsing
from tests.portal.shops import Shop, sale
from tests.product import Product

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]
Press = Callable[[Locator], Awaitable[None]]
Fill = Callable[[Locator, str], Awaitable[None]]


async def walk(page: Page, newcomer: Developer, press: Press, fill: Fill) -> Shop:
    """From the sign-in to the first pair of keys; `press` and `fill` are how a button is pressed and a field is filled."""
    await page.goto("/pay")
    await fill(page.get_by_label("Enter Your Email"), newcomer.email)
    await fill(page.get_by_label("Enter Password"), newcomer.password)
    await press(page.get_by_role("button", name="Sign In"))
    await expect(page).to_have_url(re.compile("/pay$"))
    await press(page.get_by_role("link", name="Applications").first)
    await press(page.get_by_role("button", name=re.compile("Subscribe")))
    await press(page.get_by_role("link", name="Explore Latchkey Pay"))
    await expect(page.get_by_text("You have not registered any Application yet", exact=True)).to_be_visible()
    await press(page.get_by_role("link", name="Add App"))
    await fill(page.get_by_label("App Name*"), "Corner Shop")
    await fill(page.get_by_label("Email*"), "shop@example.com")
    await fill(page.get_by_label("Address*"), "1 High Street")
    await fill(page.get_by_label("Country*"), "Germany")
    await states(page, press)
    await fill(page.get_by_label("State (Optional)"), "Bayern")
    await fill(page.get_by_label("Zip Code/Postal Code*"), "80331")
    await press(page.get_by_role("main").get_by_role("button", name="Add App", exact=True))
    await expect(page.get_by_text(re.compile("Corner Shop is registered"))).to_be_visible()
    await press(page.get_by_role("link", name="Corner Shop", exact=True))
    await expect(page.get_by_role("heading", name="App Overview")).to_be_visible()
    app_id = page.url.rpartition("/")[2]
    await shops.known_to_keys(newcomer, app_id)
    await press(page.get_by_role("link", name="Settings"))
    await press(page.get_by_role("button", name="Generate API Key"))
    public, secret = page.locator("#public-key"), page.locator("#secret-key")
    await expect(secret).to_be_visible()
    pair = {"public_key": (await public.inner_text()).strip(), "secret_key": (await secret.inner_text()).strip()}
    assert pair["secret_key"].startswith("lk_sk_live_")
    await press(page.get_by_role("link", name="I have saved the secret key"))
    await expect(page.locator("#active-public-key")).to_have_text(pair["public_key"])
    assert pair["secret_key"] not in await page.content()
    return Shop(newcomer, app_id, pair)


async def states(page: Page, press: Press) -> None:
    """Have the states of the chosen country; without JavaScript a button brings them."""
    button = page.get_by_role("button", name="Show its states")
    if await button.is_visible():
        await press(button)
    await expect(page.get_by_label("State (Optional)").locator("option", has_text="Bayern")).to_have_count(1)


async def registered(product: Product, developer: Developer) -> Developer:
    """Somebody who is verified and has nothing."""
    newcomer = Developer(product, developer.http)
    await newcomer.register()
    assert (await newcomer.sign_in()).status_code == 201
    return newcomer


async def test_the_guide_works_without_javascript(browsing: Browsing, product: Product, developer: Developer) -> None:
    async def press(target: Locator) -> None:
        await target.click()

    async def fill(target: Locator, value: str) -> None:
        if await target.evaluate("field => field.localName") == "select":
            await target.select_option(label=value)
        else:
            await target.fill(value)

    page = await browsing.page(java_script_enabled=False)
    shop = await walk(page, await registered(product, developer), press, fill)
    await shops.heard(shop.developer, shop.app_id)
    await shop.sell(sale("order-1"), sale("order-2", status="failed"))
    await page.get_by_role("link", name="Overview").click()
    await expect(page.locator("#total")).to_have_text("2")
    await page.get_by_text("The same numbers as a table").click()
    await expect(page.locator("#series tr").last).to_contain_text("2")
    await page.locator("summary", has_text="Filters").click()
    await page.get_by_label("Status", exact=True).select_option("failed")
    await page.get_by_role("button", name="Apply").click()
    await expect(page.locator("#total")).to_have_text("1")
    await page.get_by_role("navigation").get_by_role("link", name="Transactions").click()
    await expect(page.locator("tbody tr")).to_have_count(2)
    await page.goto("/pay")
    await page.get_by_role("switch").click()
    await expect(page.get_by_role("switch")).not_to_be_checked()
    await page.get_by_role("button", name="Sign out").click()
    await expect(page).to_have_url(re.compile("/sign-in"))


async def test_the_guide_works_by_the_keyboard_alone(browsing: Browsing, product: Product, developer: Developer) -> None:
    page = await browsing.page()

    async def reach(target: Locator) -> None:
        await expect(target).to_be_visible()
        for _ in range(80):
            if await target.evaluate("one => one === document.activeElement"):
                return
            await page.keyboard.press("Tab")
        raise AssertionError(f"the Tab key does not lead to {target}")

    async def press(target: Locator) -> None:
        await reach(target)
        await page.keyboard.press("Enter")

    async def fill(target: Locator, value: str) -> None:
        await reach(target)
        if await target.evaluate("field => field.localName") != "select":
            await page.keyboard.type(value)
            return
        # The first letter, again and again: a list forgets what was typed before on a machine that is slow.
        chosen = "field => field.selectedOptions[0].label"
        for _ in range(40):
            if await target.evaluate(chosen) == value:
                return
            await page.keyboard.press(value[0])
        raise AssertionError(f"{value} cannot be chosen by its first letter")

    shop = await walk(page, await registered(product, developer), press, fill)
    await shops.heard(shop.developer, shop.app_id)
    await shop.sell(sale("order-1"))
    await press(page.get_by_role("link", name="Overview"))
    await expect(page.locator("#total")).to_have_text("1")
    await press(page.locator("summary", has_text="Filters"))
    await fill(page.get_by_label("Status", exact=True), "Failed")
    await press(page.get_by_role("button", name="Apply"))
    await expect(page.get_by_role("heading", name="No transaction matches these filters")).to_be_visible()
    await press(page.get_by_role("button", name="Sign out"))
    await expect(page).to_have_url(re.compile("/sign-in"))


async def test_the_first_tab_skips_to_the_content(browsing: Browsing) -> None:
    page = await browsing.page()
    await page.goto("/sign-in")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#main")).to_be_focused()
