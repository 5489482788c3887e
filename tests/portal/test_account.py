"""Personal Info: where I am signed in, ending one of these sessions or all, and a new password."""

import re

import pytest
from playwright.async_api import expect

from tests.people import Developer
from tests.portal.conftest import SignedIn
from tests.portal.test_sessions import sign_in_again

pytestmark = pytest.mark.stack


async def test_another_browser_is_signed_out_and_this_one_stays(signed_in: SignedIn) -> None:
    mine, other = await signed_in(), await signed_in()
    await mine.goto("/account/sessions")
    others = mine.get_by_role("row").filter(has_text="Chrome").filter(has_not_text="This browser")
    await others.get_by_role("button", name="Sign out").click()
    await expect(others).to_have_count(0)
    await expect(mine.get_by_text("This browser")).to_be_visible()
    await other.goto("/account/sessions")
    await expect(other).to_have_url(re.compile("/sign-in"))


async def test_signing_out_everywhere_ends_this_browser_too(signed_in: SignedIn) -> None:
    mine, other = await signed_in(), await signed_in()
    await mine.goto("/account/sessions")
    await mine.get_by_role("button", name="Sign out everywhere").click()
    await expect(mine).to_have_url(re.compile("/sign-in"))
    await other.goto("/account/sessions")
    await expect(other).to_have_url(re.compile("/sign-in"))


async def test_a_password_is_changed_by_whoever_knows_the_old_one(signed_in: SignedIn, developer: Developer) -> None:
    page = await signed_in()
    new = "another-horse-entirely-77"
    for current, wanted in (("not-my-password-1", "/account/password$"), (developer.password, "/sign-in")):
        await page.goto("/account/password")
        await page.get_by_label("Current Password").fill(current)
        await page.get_by_label("New Password").fill(new)
        await page.get_by_role("button", name="Change Password").click()
        await expect(page).to_have_url(re.compile(wanted))
    developer.password = new
    await sign_in_again(page, developer)
    await expect(page.get_by_role("link", name="Applications", exact=True)).to_be_visible()
