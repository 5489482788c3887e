"""A session that ends elsewhere, and one that two people share a machine for."""

import asyncio
import re

import pytest
from playwright.async_api import Page, expect

from tests.people import Developer
from tests.portal.conftest import SignedIn
from tests.product import Product

pytestmark = pytest.mark.stack


async def end_everywhere(developer: Developer) -> None:
    """Sign the developer out, as from another device, and wait until the services have heard of it."""
    assert (await developer.call("DELETE", "identity", "/v1/sessions")).status_code in {200, 204}
    for _ in range(300):
        if (await developer.call("GET", "registry", "/v1/apps")).status_code == 401:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("registry has not heard that the sessions are over")


async def sign_in_again(page: Page, developer: Developer) -> None:
    """With the e-mail that the page remembers, or entered anew."""
    await page.get_by_label("Enter Your Email").fill(developer.email)
    await page.get_by_label("Enter Password").fill(developer.password)
    await page.get_by_role("button", name="Sign In").click()


async def test_a_session_that_is_over_asks_to_sign_in_and_returns_to_where_it_was(signed_in: SignedIn, developer: Developer) -> None:
    app = await developer.add_app(name="Corner Shop")
    page = await signed_in()
    await end_everywhere(developer)
    wanted = f"/pay/apps/{app['app_id']}/transactions?tz=UTC&status=failed"
    await page.goto(wanted)
    await expect(page).to_have_url(re.compile("/sign-in"))
    await expect(page.get_by_text(re.compile("session has ended"))).to_be_visible()
    await sign_in_again(page, developer)
    await expect(page).to_have_url(re.compile(re.escape(wanted) + "$"))
    await expect(page.get_by_role("heading", name="Transactions", level=1)).to_be_visible()


async def test_two_people_in_two_browsers_see_their_own_apps_only(signed_in: SignedIn, developer: Developer, product: Product) -> None:
    other = Developer(product, developer.http)
    await other.register()
    assert (await other.sign_in()).status_code == 201
    await other.subscribe()
    mine, theirs = await developer.add_app(name="Mine"), await other.add_app(name="Theirs")
    first, second = await signed_in(), await signed_in(other)
    await first.goto("/pay")
    await second.goto("/pay")
    await expect(first.get_by_role("link", name="Mine", exact=True)).to_be_visible()
    await expect(first.get_by_text("Theirs")).to_have_count(0)
    await expect(second.get_by_role("link", name="Theirs", exact=True)).to_be_visible()
    for page, app in ((first, theirs), (second, mine)):
        for path in ("", "/edit", "/transactions", "/settings/keys", "/settings/domains", "/history", "/logo"):
            assert (await page.request.get(f"/pay/apps/{app['app_id']}{path}")).status == 404, path


async def test_a_form_of_another_site_or_of_another_session_changes_nothing(signed_in: SignedIn, developer: Developer) -> None:
    app = await developer.add_app(name="Corner Shop")
    page = await signed_in()
    await page.goto("/pay")
    token = await page.locator("input[name=csrf]").first.get_attribute("value")
    assert token
    ours = page.url.removesuffix("/pay")
    wrong: list[tuple[str, dict[str, str]]] = [
        ("https://evil.example", {"csrf": token}), ("null", {"csrf": token}), (ours, {"csrf": "x" * len(token)}), (ours, {}),
    ]  # fmt: skip
    for origin, form in wrong:
        fields: dict[str, str | float | bool] = {**form, "enabled": "no"}
        answer = await page.request.post(f"/pay/apps/{app['app_id']}/enabled", form=fields, headers={"origin": origin}, max_redirects=0)
        assert answer.status == 403, (origin, form)
    assert (await developer.call("GET", "registry", f"/v1/apps/{app['app_id']}")).json()["status"] == "active"


async def test_the_cookie_is_sealed_and_out_of_reach_of_scripts(signed_in: SignedIn, developer: Developer) -> None:
    page = await signed_in()
    [cookie] = [one for one in await page.context.cookies() if one["name"].startswith("__Host-")]
    assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"], cookie["path"]) == (True, True, "Lax", "/")
    assert developer.email not in cookie["value"]
    assert await page.evaluate("document.cookie") == ""
    changed = cookie["value"][:-6] + ("aaaaaa" if not cookie["value"].endswith("aaaaaa") else "bbbbbb")
    await page.context.add_cookies([{**cookie, "value": changed}])  # type: ignore[typeddict-item]  # what cookies() gave fits
    await page.goto("/pay")
    await expect(page).to_have_url(re.compile("/sign-in"))
