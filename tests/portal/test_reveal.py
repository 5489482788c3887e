"""S47: the secret is seen once; afterwards it is nowhere, whoever looks and however."""

import contextlib
import re

import pytest
from playwright.async_api import Dialog, Error, Page, expect

from tests.people import Developer
from tests.portal.accessibility import violations
from tests.portal.browsers import Browsing, enter
from tests.portal.conftest import SignedIn
from tests.portal.keyring import Shown, generate, keep, pairs_of, regenerate, settings, shown
from tests.product import Product

pytestmark = pytest.mark.stack
SEEN = "Credentials already viewed or downloaded, try regenerating if lost."
KEPT = """async () => JSON.stringify({
  html: document.documentElement.outerHTML, local: {...localStorage}, session: {...sessionStorage}, cookie: document.cookie,
  state: history.state, url: location.href, caches: await caches.keys(),
  databases: (await indexedDB.databases()).map(d => d.name), seen: performance.getEntries().map(e => e.name),
})"""


async def nowhere(page: Page, keys: Shown) -> None:
    """Assert that nothing that a script can reach holds the secret."""
    held = await page.evaluate(KEPT)
    assert keys.secret not in held
    assert keys.secret[11:] not in held


async def content_of(page: Page) -> str:
    """What the page holds once it has arrived: the browser's own page about a failure comes a moment after the failure."""
    for _ in range(100):
        with contextlib.suppress(Error):
            return await page.content()
        await page.wait_for_timeout(100)
    raise AssertionError(f"{page.url} never arrived")


async def go_on(dialog: Dialog) -> None:
    await dialog.accept()


async def test_s47_the_answer_is_kept_by_no_cache_and_the_address_names_no_secret(developer: Developer, signed_in: SignedIn) -> None:
    app, page = await developer.add_app(), await signed_in()
    await page.goto(settings(app["app_id"]))
    async with page.expect_response(lambda answer: answer.request.method == "POST") as answered:
        await page.get_by_role("button", name="Generate API Key").click()
    keys, answer = await shown(page), await answered.value
    assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
    assert keys.secret not in page.url + str(answer.request.post_data)
    stored = await page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, history.state])")
    assert keys.secret not in stored


async def test_s47_after_it_is_kept_reload_back_and_forward_do_not_bring_it_back(developer: Developer, signed_in: SignedIn) -> None:
    app, page = await developer.add_app(), await signed_in()
    keys = await generate(page, app["app_id"])
    await keep(page)
    await nowhere(page, keys)
    await page.reload()
    await nowhere(page, keys)
    await page.go_back()
    await nowhere(page, keys)
    await page.go_forward()
    await nowhere(page, keys)
    await expect(page.get_by_role("dialog")).to_have_count(0)


async def test_s47_loading_the_page_of_the_reveal_again_says_that_it_was_seen(developer: Developer, signed_in: SignedIn) -> None:
    app, page = await developer.add_app(), await signed_in()
    keys = await generate(page, app["app_id"])
    page.on("dialog", go_on)
    await page.reload()
    await expect(page.get_by_text(SEEN)).to_be_visible()
    await nowhere(page, keys)
    await expect(page.get_by_role("dialog")).to_have_count(0)
    assert [pair["public_key"] for pair in await pairs_of(developer, app["app_id"])] == [keys.public]
    await page.get_by_role("link", name="Regenerate the key").click()
    await expect(page.get_by_role("heading", name="Regenerate Key")).to_be_visible()


async def test_s47_leaving_and_coming_back_by_the_browsers_buttons_shows_no_secret(
    developer: Developer, signed_in: SignedIn, browsing: Browsing
) -> None:
    """The browser kept nothing: it asks whether to send the form again, and then the answer is that the secret was seen."""
    app, page = await developer.add_app(), await signed_in()
    keys = await generate(page, app["app_id"])
    page.on("dialog", go_on)
    await page.goto("/applications")
    with pytest.raises(Error, match="ERR_CACHE_MISS"):
        await page.go_back()
    browsing.watch.forgive("ERR_CACHE_MISS")
    assert keys.secret not in await content_of(page)
    await page.reload()
    await expect(page.get_by_text(SEEN)).to_be_visible()
    await nowhere(page, keys)


async def test_s47_a_regenerated_secret_is_seen_once_too(developer: Developer, signed_in: SignedIn) -> None:
    app, page = await developer.add_app(), await signed_in()
    await generate(page, app["app_id"])
    await keep(page)
    keys = await regenerate(page, app["name"])
    page.on("dialog", go_on)
    await page.reload()
    await expect(page.get_by_text(SEEN)).to_be_visible()
    await nowhere(page, keys)
    assert len(await pairs_of(developer, app["app_id"])) == 2


async def test_s47_neither_a_new_session_nor_the_api_nor_another_user_gets_it(
    product: Product, developer: Developer, signed_in: SignedIn, browsing: Browsing
) -> None:
    app, page = await developer.add_app(), await signed_in()
    keys = await generate(page, app["app_id"])
    await keep(page)
    again = await signed_in()
    await again.goto(settings(app["app_id"]))
    await expect(again.locator("#active-public-key")).to_have_text(keys.public)
    await nowhere(again, keys)
    [pair] = await pairs_of(developer, app["app_id"])
    answer = await developer.call("GET", "keys", f"/v1/apps/{app['app_id']}/keys/{pair['pair_id']}/secret")
    assert (answer.status_code, answer.json()["code"], answer.json()["title"]) == (410, "keys.secret_already_revealed", SEEN)
    stranger = Developer(product, developer.http)
    await stranger.register()
    other = await browsing.page()
    await enter(other, stranger)
    for path in ("", f"/{pair['pair_id']}/regenerate", f"/{pair['pair_id']}/revoke", f"/{pair['pair_id']}/disable"):
        refused = await other.goto(settings(app["app_id"]) + path)
        assert refused is not None
        assert refused.status == 404
        assert keys.public not in await other.content()
        assert str(app["name"]) not in await other.content()


async def test_s47_the_logs_of_the_portal_do_not_have_it(product: Product, developer: Developer, signed_in: SignedIn) -> None:
    app, page = await developer.add_app(), await signed_in()
    keys = await generate(page, app["app_id"])
    logs = {file.name: file.read_text(errors="replace") for file in product.layout.logs.glob("*.log")}
    assert "/settings/keys" in logs["portal.log"]
    assert [name for name, text in logs.items() if keys.secret in text] == []


async def test_the_dialog_closes_only_when_the_owner_says_so(developer: Developer, signed_in: SignedIn) -> None:
    app, page = await developer.add_app(), await signed_in()
    keys = await generate(page, app["app_id"])
    dialog = page.get_by_role("dialog")
    title = dialog.get_by_role("heading", name="Your new API keys")
    await expect(title).to_be_focused()
    await expect(title).to_have_attribute("autofocus", "")  # Firefox begins with the first button else.
    for _ in range(3):
        await page.keyboard.press("Escape")
    await page.mouse.click(5, 5)
    await expect(dialog).to_be_visible()
    await expect(dialog).to_contain_text("Say that you have saved the secret key first")
    asked: list[str] = []

    async def stay(question: Dialog) -> None:
        asked.append(question.type)
        await question.dismiss()

    page.on("dialog", stay)
    await page.evaluate("location.href = '/applications'")
    await expect(dialog).to_be_visible()
    assert (asked, await shown(page)) == (["beforeunload"], keys)
    await keep(page)
    assert asked == ["beforeunload"]
    await expect(page).to_have_url(re.compile(settings(app["app_id"])))


async def test_the_dialog_violates_no_rule_of_accessibility_in_either_theme(developer: Developer, signed_in: SignedIn) -> None:
    app, page = await developer.add_app(), await signed_in()
    await generate(page, app["app_id"])
    await expect(page.get_by_role("dialog")).to_be_visible()
    for theme in ("light", "dark"):
        await page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        assert await violations(page) == []


async def test_a_copied_key_is_announced_inside_the_dialog(developer: Developer, signed_in: SignedIn) -> None:
    app, page = await developer.add_app(), await signed_in(permissions=["clipboard-read", "clipboard-write"])
    keys = await generate(page, app["app_id"])
    dialog = page.get_by_role("dialog")
    copy = dialog.get_by_role("button", name="Copy Secret API Key")
    await copy.click()
    await expect(copy.locator(".icon").last).to_be_visible()
    await expect(dialog.get_by_role("status").filter(has_text="Secret API Key copied")).to_be_visible()
    assert await page.evaluate("navigator.clipboard.readText()") == keys.secret


async def test_without_javascript_the_reveal_is_part_of_the_page_and_regenerating_works(developer: Developer, signed_in: SignedIn) -> None:
    app, page = await developer.add_app(), await signed_in(java_script_enabled=False)
    old = await generate(page, app["app_id"])
    async with page.expect_download() as downloading:
        await page.get_by_role("link", name="Download .env").click()
    assert old.secret in (await (await downloading.value).path()).read_text()
    await keep(page)
    new = await regenerate(page, app["name"])
    assert (await developer.verdict(old.secret), await developer.verdict(new.secret)) == ("ROTATED", "VALID")
    await keep(page)
    assert new.secret not in await page.content()
