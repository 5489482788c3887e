"""S06–S14: what somebody is subscribed to, and the way to Latchkey Pay."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.people import Developer
from tests.portal.browsers import Browsing, enter
from tests.portal.conftest import SignedIn
from tests.product import Product

pytestmark = pytest.mark.stack


async def test_s06_the_sidebar_has_applications_personal_info_and_settings_each_with_an_icon(signed_in: SignedIn) -> None:
    page = await signed_in()
    for name in ("Applications", "Personal Info", "Settings"):
        item = page.get_by_role("navigation").get_by_role("link", name=name, exact=True)
        await expect(item).to_be_visible()
        await expect(item.locator("svg")).to_have_count(1)


async def test_s07_s08_applications_lists_what_i_am_subscribed_to(signed_in: SignedIn) -> None:
    page = await signed_in()
    await page.get_by_role("navigation").get_by_role("link", name="Applications", exact=True).click()
    await expect(page).to_have_url(re.compile("/applications$"))
    await expect(page.get_by_role("heading", name="Applications", level=1)).to_be_visible()
    await expect(page.get_by_role("link", name="Explore Latchkey Pay")).to_be_visible()
    await expect(page.get_by_role("button", name=re.compile("Subscribe"))).to_have_count(0)


async def test_s08_s09_a_newcomer_has_nothing_and_subscribes_from_the_catalogue(
    product: Product, developer: Developer, browsing: Browsing
) -> None:
    newcomer = Developer(product, developer.http)
    await newcomer.register()
    page = await browsing.page()
    await enter(page, newcomer)
    await page.goto("/applications")
    await expect(page.get_by_role("link", name="Explore Latchkey Pay")).to_have_count(0)
    await page.get_by_role("button", name=re.compile("Subscribe")).click()
    await expect(page.get_by_role("link", name="Explore Latchkey Pay")).to_be_visible()
    await expect(page.get_by_role("button", name=re.compile("Subscribe"))).to_have_count(0)


async def test_s10_s11_s13_explore_shows_the_pay_dashboard_with_no_second_sign_in(signed_in: SignedIn) -> None:
    page = await signed_in()
    await page.goto("/applications")
    await page.get_by_role("link", name="Explore Latchkey Pay").click()
    await expect(page).to_have_url(re.compile("/pay$"))
    await expect(page.get_by_role("heading", level=1)).to_contain_text("Latchkey Pay")
    await expect(page.get_by_label("Enter Password")).to_have_count(0)


async def test_s12_s13_pay_opens_from_the_studio_dashboard(signed_in: SignedIn) -> None:
    page = await signed_in()
    await page.goto("/")
    await page.get_by_role("link", name=re.compile("Latchkey Pay")).first.click()
    await expect(page).to_have_url(re.compile("/pay$"))


async def test_s14_pay_while_signed_out_goes_to_sign_in_and_back(page: Page, developer: Developer) -> None:
    await page.goto("/pay")
    await expect(page).to_have_url(re.compile("/sign-in"))
    await page.get_by_label("Enter Your Email").fill(developer.email)
    await page.get_by_label("Enter Password", exact=True).fill(developer.password)
    await page.get_by_role("button", name="Sign In").click()
    await expect(page).to_have_url(re.compile("/pay$"))


@pytest.mark.parametrize("elsewhere", ["https://example.com/", "//example.com/", "/\\example.com", "javascript:alert(1)"])
async def test_s14_back_never_leads_to_another_site(page: Page, developer: Developer, product: Product, elsewhere: str) -> None:
    await page.goto("/sign-in?next=" + elsewhere)
    await page.get_by_label("Enter Your Email").fill(developer.email)
    await page.get_by_label("Enter Password", exact=True).fill(developer.password)
    await page.get_by_role("button", name="Sign In").click()
    await expect(page.get_by_role("link", name="Applications", exact=True)).to_be_visible()
    assert page.url.startswith(product.pages)
