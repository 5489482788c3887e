"""What an address alone does not show: open dialogs, menus and forms, and what is wrong with an input. In this order, for each pair of keys
that a scene makes is ended by the last one."""

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from playwright.async_api import Page

from tests.portal.everywhere import STALL, House
from tests.portal.keyring import generate, keep, regenerate, settings

Scene = Callable[[Page, House], Awaitable[None]]


async def menu(page: Page, house: House) -> None:
    """The sidebar, which is a sheet on a small screen."""
    await page.goto(house.shop.path)
    button = page.get_by_role("button", name="Menu")
    if await button.is_visible():
        await button.click()


async def filters(page: Page, house: House) -> None:
    """All filters, and the chart's numbers as a table."""
    await page.goto(f"{house.shop.path}?status=failed&currency=USD")
    await page.locator("summary", has_text="Filters").click()
    await page.locator("summary", has_text="as a table").click()


async def form_refused(page: Page, _: House) -> None:
    """Register an App with nothing filled in but a name that is too short."""
    await page.goto("/pay/apps/new")
    await page.get_by_label("App Name").fill("x")
    await page.get_by_role("button", name="Add App").click()
    await page.get_by_role("alert").wait_for()


async def domain_waits(page: Page, house: House) -> None:
    """A domain with the record that proves it, which is not there."""
    await page.goto(f"/pay/apps/{house.stall}/settings/domains")
    if await page.get_by_role("button", name="Verify stall.example").count() == 0:
        await page.get_by_label("Domain*").fill("stall.example")
        await page.get_by_role("button", name="Add Domain").click()
    await page.get_by_role("button", name="Verify stall.example").click()
    await page.get_by_role("alert").wait_for()


async def domain_removal(page: Page, house: House) -> None:
    """Asks first."""
    await page.goto(f"/pay/apps/{house.stall}/settings/domains/stall.example/remove")


async def limits_refused(page: Page, house: House) -> None:
    """The limits of a new pair, all of them wrong."""
    await page.goto(settings(house.stall))
    await page.locator("summary", has_text="Limit where the keys work").click()
    for name, value in (("IP addresses", "300.1.1.1"), ("Web origins", "shop.example"), ("Scopes", "Payments")):
        await page.get_by_label(name).fill(value)
    await page.get_by_role("button", name="Generate API Key").click()
    await page.get_by_role("alert").wait_for()


async def reveal(page: Page, house: House) -> None:
    """The one dialog that shows a secret."""
    await generate(page, house.stall)


async def reveal_again(page: Page, house: House) -> None:
    """The same after a regeneration: until when the old keys work."""
    await keep(page)
    await regenerate(page, STALL, "In 24 hours")
    assert house.stall in page.url


async def pairs(page: Page, _: House) -> None:
    """Two pairs that work, and those that have ended."""
    await keep(page)


async def overlap(page: Page, _: House) -> None:
    """Ending an overlap before its time."""
    await page.get_by_role("link", name="go back to them").click()


async def revocation_refused(page: Page, _: House) -> None:
    """Revoking with a wrong name."""
    await page.get_by_role("link", name="Cancel").click()
    await page.get_by_role("link", name="Revoke", exact=True).first.click()
    await page.get_by_label("App name").fill("another shop")
    await page.get_by_role("button", name="Revoke Keys").click()
    await page.get_by_role("alert").wait_for()


async def revoked(page: Page, _: House) -> None:
    """What is said when it is done."""
    await page.get_by_label("App name").fill(STALL)
    await page.get_by_role("button", name="Revoke Keys").click()
    await page.wait_for_url(re.compile(r"/settings/keys\?"))


SCENES: Final[Sequence[Scene]] = (
    menu, filters, form_refused, domain_waits, domain_removal, limits_refused, reveal, reveal_again, pairs, overlap,
    revocation_refused, revoked,
)  # fmt: skip
