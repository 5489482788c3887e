"""The Settings page of an app as a person works with it: generating, regenerating, and what the one reveal shows."""

import re
from dataclasses import dataclass

from playwright.async_api import Page, expect

from tests.people import Developer


@dataclass(frozen=True)
class Shown:
    """The two keys that the dialog showed."""

    public: str
    secret: str


def settings(app_id: str) -> str:
    """Where the keys of an app are."""
    return f"/pay/apps/{app_id}/settings/keys"


async def shown(page: Page) -> Shown:
    """What the dialog shows now."""
    dialog = page.get_by_role("dialog", name="Your new API keys")
    await expect(dialog).to_be_visible()
    public = await dialog.locator("#public-key").inner_text()
    secret = await dialog.locator("#secret-key").inner_text()
    assert re.fullmatch(r"lk_pk_(live|test)_[0-9A-Za-z]{49}", public)
    assert re.fullmatch(r"lk_sk_(live|test)_[0-9A-Za-z]{49}", secret)
    return Shown(public, secret)


async def generate(page: Page, app_id: str, environment: str = "live") -> Shown:
    """Open the page and press the button; the dialog stays open."""
    await page.goto(f"{settings(app_id)}?environment={environment}")
    await page.get_by_role("button", name="Generate API Key").click()
    return await shown(page)


async def keep(page: Page) -> None:
    """Say that the secret is saved."""
    await page.get_by_role("link", name="I have saved the secret key").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.wait_for_load_state()


async def regenerate(page: Page, name: str, overlap: str = "Now") -> Shown:
    """From the page of the keys to new ones; the dialog stays open."""
    await page.get_by_role("link", name="Regenerate Key").click()
    await page.get_by_label(re.compile(f"^{overlap}")).check()
    await page.get_by_label("App name").fill(name)
    await page.get_by_role("button", name="Regenerate Key").click()
    return await shown(page)


async def pairs_of(developer: Developer, app_id: str) -> list[dict[str, object]]:
    """The app's pairs, the newest first, as the keys service tells its owner."""
    answer = await developer.call("GET", "keys", f"/v1/apps/{app_id}/keys")
    assert answer.status_code == 200, answer.text
    found: list[dict[str, object]] = answer.json()["items"]
    return found
