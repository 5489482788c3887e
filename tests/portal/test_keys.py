"""S41–S53: from Settings to keys that work, and that stop working when they should."""

import asyncio
import json
import re
from datetime import datetime
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer
from latchkey.topics import KEYS_KEYRING_EVENTS, KEYS_KEYRING_STATE, KEYS_VERIFIER_STATE, REGISTRY_APP_EVENTS
from playwright.async_api import Page, expect

from tests.people import Developer, transaction
from tests.portal.conftest import SignedIn
from tests.portal.keyring import Shown, generate, keep, pairs_of, regenerate, settings, shown
from tests.product import Product

pytestmark = pytest.mark.stack
TABS = ("Generate API Key", "Payment Gateway Settings", "Domain")


async def verdicts(developer: Developer, keys: Shown) -> tuple[str, str]:
    """What a service of the platform is told of both keys."""
    return await developer.verdict(keys.public), await developer.verdict(keys.secret)


async def test_s41_settings_is_in_the_apps_sidebar_and_has_three_tabs(developer: Developer, signed_in: SignedIn) -> None:
    app, page = await developer.add_app(), await signed_in()
    await page.goto(f"/pay/apps/{app['app_id']}")
    await page.get_by_role("navigation", name="App").get_by_role("link", name="Settings", exact=True).click()
    await expect(page.get_by_role("heading", name="Settings", level=1)).to_be_visible()
    for tab in TABS:
        await page.get_by_role("navigation", name="Settings").get_by_role("link", name=tab, exact=True).click()
        current = page.get_by_role("navigation", name="Settings").locator("[aria-current=page]")
        await expect(current).to_have_text(tab)


async def test_s42_s43_generate_api_key_yields_a_public_and_a_secret_key(developer: Developer, signed_in: SignedIn) -> None:
    app, page = await developer.add_app(), await signed_in()
    keys = await generate(page, app["app_id"])
    dialog = page.get_by_role("dialog")
    await expect(dialog.get_by_text("Public API Key", exact=True)).to_be_visible()
    await expect(dialog.get_by_text("Secret API Key", exact=True)).to_be_visible()
    assert await verdicts(developer, keys) == ("VALID", "VALID")


async def test_s42_a_pair_may_be_limited_to_addresses_origins_and_scopes(developer: Developer, signed_in: SignedIn) -> None:
    app, page = await developer.add_app(), await signed_in()
    await page.goto(settings(app["app_id"]))
    await page.locator("summary", has_text="Limit where the keys work").click()
    await page.get_by_label("IP addresses (Optional)").fill("203.0.113.9/24\nnowhere")
    await page.get_by_label("Web origins (Optional)").fill("https://shop.example/path")
    await page.get_by_label("Scopes (Optional)").fill("Payments!")
    await page.get_by_role("button", name="Generate API Key").click()
    await expect(page.get_by_role("alert")).to_contain_text("3 fields need another look")
    await expect(page.get_by_label("IP addresses (Optional)")).to_have_value("203.0.113.9/24\nnowhere")
    assert await pairs_of(developer, app["app_id"]) == []
    await page.get_by_label("IP addresses (Optional)").fill("203.0.113.9/24, 2001:db8::1")
    await page.get_by_label("Web origins (Optional)").fill("https://shop.example")
    await page.get_by_label("Scopes (Optional)").fill("payments:write\npayments:read")
    await page.get_by_role("button", name="Generate API Key").click()
    await shown(page)
    await keep(page)
    [pair] = await pairs_of(developer, app["app_id"])
    assert (pair["allowed_ips"], pair["allowed_origins"]) == (["203.0.113.0/24", "2001:db8::1"], ["https://shop.example"])
    assert pair["scopes"] == ["payments:write", "payments:read"]
    await expect(page.get_by_text("203.0.113.0/24, 2001:db8::1")).to_be_visible()


async def test_s44_the_public_key_alone_announces_a_payment_and_nothing_else(developer: Developer, signed_in: SignedIn) -> None:
    app, page = await developer.add_app(), await signed_in()
    keys = await generate(page, app["app_id"])
    metrics = developer.product.at["metrics"]

    async def send(status: str) -> int:
        body = transaction(1, status=status)
        return (await developer.http.post(f"{metrics}/v1/transactions", json=body, auth=(keys.public, ""))).status_code

    assert [await send("succeeded"), await send("created")] == [403, 201]
    read = await developer.http.get(f"{metrics}/v1/apps/{app['app_id']}/overview", auth=(keys.public, ""))
    moved = await developer.http.patch(f"{metrics}/v1/transactions/t-1", json={"status": "failed"}, auth=(keys.public, ""))
    assert (read.status_code, moved.status_code) == (401, 403)


async def test_s45_a_secret_key_from_a_browser_is_refused_and_the_owner_sees_it(developer: Developer, signed_in: SignedIn) -> None:
    app, page = await developer.add_app(), await signed_in()
    keys = await generate(page, app["app_id"])
    await keep(page)
    sent = await developer.http.post(
        f"{developer.product.at['metrics']}/v1/transactions", json=transaction(1), auth=(keys.secret, ""),
        headers={"origin": "https://careless.example"},
    )  # fmt: skip
    assert (sent.status_code, sent.json()["code"]) == (403, "metrics.secret_key_in_browser")
    await page.get_by_role("link", name="Payment Gateway Settings").click()
    await expect(page.get_by_role("row").filter(has_text="https://careless.example")).to_be_visible()


async def test_s46_download_holds_both_keys_in_three_forms(developer: Developer, signed_in: SignedIn, tmp_path: Path) -> None:
    app, page = await developer.add_app(), await signed_in()
    keys = await generate(page, app["app_id"])
    files: dict[str, str] = {}
    for ending in ("txt", "env", "json"):
        async with page.expect_download() as downloading:
            await page.get_by_role("link", name=f"Download .{ending}").click()
        download = await downloading.value
        assert download.suggested_filename.endswith(f".{ending}")
        await download.save_as(tmp_path / ending)
        files[ending] = (tmp_path / ending).read_text()
    assert all(keys.public in text and keys.secret in text for text in files.values())
    assert f"LATCHKEY_SECRET_KEY={keys.secret}\n" in files["env"]
    assert json.loads(files["json"])["secret_key"] == keys.secret


async def test_s48_s49_regenerating_makes_two_new_keys_and_refuses_both_old_ones(developer: Developer, signed_in: SignedIn) -> None:
    app, page = await developer.add_app(), await signed_in()
    old = await generate(page, app["app_id"])
    await keep(page)
    new = await regenerate(page, app["name"])
    assert len({old.public, old.secret, new.public, new.secret}) == 4
    await expect(page.get_by_role("dialog")).to_contain_text("The old keys are refused now.")
    assert await verdicts(developer, old) == ("ROTATED", "ROTATED")
    assert await verdicts(developer, new) == ("VALID", "VALID")


async def test_s49_with_an_overlap_both_pairs_work_until_exactly_the_time_that_is_shown(developer: Developer, signed_in: SignedIn) -> None:
    app, page = await developer.add_app(), await signed_in()
    old = await generate(page, app["app_id"])
    await keep(page)
    new = await regenerate(page, app["name"], "In 15 minutes")
    told = await page.get_by_role("dialog").locator("time").get_attribute("datetime")
    pairs = {str(pair["public_key"]): pair for pair in await pairs_of(developer, app["app_id"])}
    assert told is not None
    assert datetime.fromisoformat(told) == datetime.fromisoformat(str(pairs[old.public]["valid_until"]))
    made = datetime.fromisoformat(str(pairs[new.public]["created_at"]))
    assert abs((datetime.fromisoformat(told) - made).total_seconds() - 900) < 1
    assert [await verdicts(developer, keys) for keys in (old, new)] == [("VALID", "VALID"), ("VALID", "VALID")]
    await keep(page)
    await expect(page.get_by_text("The keys before these still work.")).to_be_visible()
    await page.get_by_role("link", name="End them now").click()
    await page.get_by_label("App name").fill(app["name"])
    await page.get_by_role("button", name="End the Overlap").click()
    await expect(page.get_by_role("status").filter(has_text="The old keys are refused now.")).to_be_visible()
    assert [await verdicts(developer, keys) for keys in (old, new)] == [("ROTATED", "ROTATED"), ("VALID", "VALID")]


async def test_s49_within_the_overlap_one_goes_back_to_the_old_keys(developer: Developer, signed_in: SignedIn) -> None:
    app, page = await developer.add_app(), await signed_in()
    old = await generate(page, app["app_id"])
    await keep(page)
    new = await regenerate(page, app["name"], "In 15 minutes")
    await keep(page)
    await page.get_by_role("link", name="go back to them").click()
    await expect(page.get_by_label("Go back to the old keys")).to_be_checked()
    await page.get_by_label("App name").fill("another shop")
    await page.get_by_role("button", name="End the Overlap").click()
    await expect(page.get_by_role("alert")).to_contain_text("This is not the name of the app.")
    await page.get_by_label("App name").fill(app["name"])
    await page.get_by_role("button", name="End the Overlap").click()
    await expect(page.get_by_role("status").filter(has_text="The keys before are back.")).to_be_visible()
    await expect(page.locator("#active-public-key")).to_have_text(old.public)
    assert [await verdicts(developer, keys) for keys in (old, new)] == [("VALID", "VALID"), ("ROTATED", "ROTATED")]


async def test_s50_regenerating_shows_the_use_and_asks_for_the_name_and_cancelling_changes_nothing(
    developer: Developer, signed_in: SignedIn
) -> None:
    app, page = await developer.add_app(), await signed_in()
    old = await generate(page, app["app_id"])
    await keep(page)
    assert (await developer.record(old.secret, transaction(1), transaction(2))).status_code == 201
    await page.get_by_role("link", name="Regenerate Key").click()
    await expect(page.get_by_text("2 recorded with this pair, 2 of them today")).to_be_visible()
    await page.get_by_label("App name").fill(app["name"].lower() + "?")
    await page.get_by_role("button", name="Regenerate Key").click()
    await expect(page.get_by_role("alert")).to_be_focused()
    await expect(page.get_by_label("App name")).to_have_attribute("aria-invalid", "true")
    await page.get_by_role("link", name="Cancel").click()
    await expect(page).to_have_url(re.compile(settings(app["app_id"])))
    assert [pair["public_key"] for pair in await pairs_of(developer, app["app_id"])] == [old.public]
    assert await verdicts(developer, old) == ("VALID", "VALID")


async def test_s50_a_page_that_is_older_than_the_keys_regenerates_nothing(developer: Developer, signed_in: SignedIn) -> None:
    app, page = await developer.add_app(), await signed_in()
    await generate(page, app["app_id"])
    await keep(page)
    await page.get_by_role("link", name="Regenerate Key").click()
    [pair] = await pairs_of(developer, app["app_id"])
    path = f"/v1/apps/{app['app_id']}/keys/{pair['pair_id']}"
    for turn in ("disable", "enable"):
        assert (await developer.call("POST", "keys", f"{path}/{turn}")).status_code == 200
    await page.get_by_label("App name").fill(app["name"])
    await page.get_by_role("button", name="Regenerate Key").click()
    await expect(page.get_by_role("alert")).to_contain_text("The keys were changed since you opened this page")
    assert len(await pairs_of(developer, app["app_id"])) == 1


async def test_s51_with_an_active_pair_the_secret_is_masked_and_generating_is_not_offered(
    developer: Developer, signed_in: SignedIn
) -> None:
    app, page = await developer.add_app(), await signed_in()
    keys = await generate(page, app["app_id"])
    await keep(page)
    await expect(page.locator("#active-public-key")).to_have_text(keys.public)
    await expect(page.get_by_role("main")).to_contain_text(f"lk_sk_live_••••••••{keys.secret[-4:]}")
    await expect(page.get_by_role("link", name="Regenerate Key")).to_be_visible()
    await expect(page.get_by_role("button", name="Generate API Key")).to_have_count(0)
    row = page.get_by_role("row", name=re.compile("Active"))
    await expect(row).to_contain_text("Live")
    await page.get_by_role("link", name="Test", exact=True).click()
    await expect(page.get_by_role("button", name="Generate API Key")).to_be_visible()


async def test_s51_two_tabs_that_press_at_the_same_moment_make_one_pair(developer: Developer, signed_in: SignedIn) -> None:
    app, first = await developer.add_app(), await signed_in()
    second = await first.context.new_page()
    for tab in (first, second):
        await tab.goto(settings(app["app_id"]))
    await asyncio.gather(*(tab.get_by_role("button", name="Generate API Key").click() for tab in (first, second)))
    outcomes = [await _outcome(tab) for tab in (first, second)]
    assert sorted(outcomes) == ["keys", "refused"]
    [pair] = await pairs_of(developer, app["app_id"])
    assert pair["status"] == "active"


async def _outcome(tab: Page) -> str:
    dialog, refusal = tab.get_by_role("dialog"), tab.get_by_text("This app has an active key pair in this environment")
    await expect(dialog.or_(refusal)).to_be_visible()
    return "keys" if await dialog.is_visible() else "refused"


async def test_s51_a_double_press_makes_one_pair_and_still_shows_its_secret(developer: Developer, signed_in: SignedIn) -> None:
    app, page = await developer.add_app(), await signed_in()
    await page.goto(settings(app["app_id"]))
    await page.get_by_role("button", name="Generate API Key").dblclick()
    keys = await shown(page)
    assert [pair["public_key"] for pair in await pairs_of(developer, app["app_id"])] == [keys.public]


async def test_s52_keys_of_a_disabled_app_are_refused_for_that_reason_and_work_again(developer: Developer, signed_in: SignedIn) -> None:
    app, page = await developer.add_app(), await signed_in()
    keys = await generate(page, app["app_id"])
    await keep(page)
    path = f"/v1/apps/{app['app_id']}"
    assert (await developer.call("POST", "registry", f"{path}/disable")).status_code == 200
    await _until(developer, keys, "APP_DISABLED")
    await page.reload()
    await expect(page.get_by_role("main")).to_contain_text("Application is disabled!")
    assert (await developer.call("POST", "registry", f"{path}/enable")).status_code == 200
    await _until(developer, keys, "VALID")
    await page.reload()
    await expect(page.get_by_role("main")).not_to_contain_text("Application is disabled!")


async def _until(developer: Developer, keys: Shown, wanted: str) -> None:
    """The keys service hears of apps through Kafka."""
    for _ in range(200):
        if await verdicts(developer, keys) == (wanted, wanted):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(await verdicts(developer, keys))


async def test_a_disabled_pair_is_refused_until_it_is_enabled(developer: Developer, signed_in: SignedIn) -> None:
    app, page = await developer.add_app(), await signed_in()
    keys = await generate(page, app["app_id"])
    await keep(page)
    await page.get_by_role("link", name="Disable").click()
    await page.get_by_role("link", name="Cancel").click()
    assert await verdicts(developer, keys) == ("VALID", "VALID")
    await page.get_by_role("link", name="Disable").click()
    await page.get_by_role("button", name="Disable Keys").click()
    await expect(page.get_by_role("status").filter(has_text="The key pair is disabled")).to_be_visible()
    assert await verdicts(developer, keys) == ("DISABLED", "DISABLED")
    await page.get_by_role("button", name="Enable").click()
    await expect(page.get_by_role("status").filter(has_text="The key pair is enabled")).to_be_visible()
    assert await verdicts(developer, keys) == ("VALID", "VALID")


async def test_s53_consumers_of_kafka_hear_of_each_step_and_of_no_secret(
    developer: Developer, signed_in: SignedIn, product: Product
) -> None:
    app, page = await developer.add_app(), await signed_in()
    old = await generate(page, app["app_id"])
    await keep(page)
    new = await regenerate(page, app["name"])
    wanted = {"AppRegistered", "KeyPairGenerated", "KeySecretRevealed", "KeyRotated", "KeyDisabled"}
    heard, text = await _heard(
        product, app["app_id"], {f"{'registry' if name == 'AppRegistered' else 'keys'}.{name}.v1" for name in wanted}
    )
    assert heard >= wanted
    assert old.public in text
    for secret in (old.secret, new.secret):
        assert secret not in text
        assert secret[11:54] not in text


async def _heard(product: Product, app_id: str, wanted: set[str]) -> tuple[set[str], str]:
    """The names of the public events of an app, and everything that was said of it."""
    topics = (REGISTRY_APP_EVENTS, KEYS_KEYRING_EVENTS, KEYS_KEYRING_STATE, KEYS_VERIFIER_STATE)
    consumer = AIOKafkaConsumer(*topics, bootstrap_servers=product.stack.bootstrap, auto_offset_reset="earliest", enable_auto_commit=False)
    await consumer.start()
    types, texts = set[str](), list[str]()
    try:
        for _ in range(60):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                said = [record.value.decode() for record in records if record.value and app_id in record.value.decode()]
                texts += said
                types |= {str(json.loads(text).get("type")) for text in said}
            if types >= wanted:
                break
    finally:
        await consumer.stop()
    return {kind.split(".")[1] for kind in types if kind.count(".") == 2}, "\n".join(texts)
