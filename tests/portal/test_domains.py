"""The tabs Domain and Payment Gateway Settings, and the app's history: what they show is what the services do."""

import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.people import Developer
from tests.portal.conftest import SignedIn
from tests.portal.keyring import generate, keep
from tests.product import Product
from tests.registry.nameserver import NameServer, serving

pytestmark = pytest.mark.stack


@pytest_asyncio.fixture(loop_scope="session")
async def nameserver(product: Product) -> AsyncIterator[NameServer]:
    """Whom the product's registry asks."""
    async with serving(product.dns_port) as server:
        yield server


async def test_a_domain_is_added_proven_and_removed(developer: Developer, signed_in: SignedIn, nameserver: NameServer) -> None:
    app, page = await developer.add_app(), await signed_in()
    await page.goto(f"/pay/apps/{app['app_id']}/settings/domains")
    await expect(page.get_by_text("No domains yet")).to_be_visible()
    await page.get_by_label("Domain*").fill("Shop.Example")
    await page.get_by_role("button", name="Add Domain").click()
    name, value = await page.locator("#record-name-1").inner_text(), await page.locator("#record-value-1").inner_text()
    assert (name, value.startswith("latchkey-verification=")) == ("_latchkey-challenge.shop.example", True)
    await page.get_by_role("button", name="Verify shop.example").click()
    await expect(page.get_by_role("alert")).to_be_focused()
    await expect(page.get_by_role("alert")).to_contain_text("The TXT record is not there yet")
    nameserver.texts[name] = [value]
    await page.get_by_role("button", name="Verify shop.example").click()
    await expect(page.get_by_role("status").filter(has_text="shop.example is verified")).to_be_visible()
    await expect(page.get_by_text("Verified", exact=True).first).to_be_visible()
    await page.get_by_role("link", name="Remove shop.example").click()
    await page.get_by_role("link", name="Cancel").click()
    await page.get_by_role("link", name="Remove shop.example").click()
    await page.get_by_role("button", name="Remove Domain").click()
    await expect(page.get_by_text("No domains yet")).to_be_visible()
    await page.get_by_role("navigation", name="App").get_by_role("link", name="History").click()
    deeds = page.get_by_role("listitem").filter(has_text="You ·")
    await expect(deeds).to_have_text(
        [re.compile(deed) for deed in ("Removed a domain", "Verified a domain", "Added a domain", "Registered")]
    )


@pytest.mark.parametrize("domain", ["localhost", "https://shop.example", "127.0.0.1", "<script>alert(1)</script>"])
async def test_what_is_no_domain_is_marked_and_kept_in_the_field(developer: Developer, signed_in: SignedIn, domain: str) -> None:
    app, page = await developer.add_app(), await signed_in()
    await page.goto(f"/pay/apps/{app['app_id']}/settings/domains")
    await page.get_by_label("Domain*").fill(domain)
    await page.get_by_role("button", name="Add Domain").click()
    await expect(page.get_by_role("alert")).to_be_focused()
    await expect(page.get_by_label("Domain*")).to_have_value(domain)
    await expect(page.get_by_text("No domains yet")).to_be_visible()


async def test_name_servers_that_are_away_are_named_and_nothing_is_lost(developer: Developer, signed_in: SignedIn) -> None:
    app, page = await developer.add_app(), await signed_in()
    await page.goto(f"/pay/apps/{app['app_id']}/settings/domains")
    await page.get_by_label("Domain*").fill("shop.example")
    await page.get_by_role("button", name="Add Domain").click()
    await page.get_by_role("button", name="Verify shop.example").click()
    await expect(page.get_by_role("alert")).to_contain_text("name servers did not answer")


async def test_the_examples_of_the_gateway_tab_work_as_they_stand(developer: Developer, signed_in: SignedIn) -> None:
    app, page = await developer.add_app(), await signed_in()
    await page.goto(f"/pay/apps/{app['app_id']}/settings/gateway")
    await page.get_by_role("link", name="Go to Generate API Key").click()
    keys = await generate(page, app["app_id"])
    await keep(page)
    await page.goto(f"/pay/apps/{app['app_id']}/settings/gateway")
    endpoint = await page.locator("#endpoint").inner_text()
    assert endpoint == f"{developer.product.at['metrics']}/v1/transactions"
    curl = await page.locator("#curl-public").inner_text()
    assert f"-u '{keys.public}:'" in curl
    body = re.search(r"-d '(\{.*\})'", curl, re.DOTALL)
    assert body is not None
    sent = await developer.http.post(endpoint, content=body[1], auth=(keys.public, ""), headers={"content-type": "application/json"})
    assert sent.status_code == 201
    body = re.search(r"-d '(\{.*\})'", await page.locator("#curl-secret").inner_text(), re.DOTALL)
    assert body is not None
    sent = await developer.http.post(endpoint, content=body[1], auth=(keys.secret, ""), headers={"content-type": "application/json"})
    assert sent.status_code == 201


async def test_history_says_who_did_what_to_the_keys(developer: Developer, signed_in: SignedIn) -> None:
    app, page = await developer.add_app(), await signed_in()
    await generate(page, app["app_id"], "test")
    await keep(page)
    await page.get_by_role("navigation", name="App").get_by_role("link", name="History").click()
    await page.get_by_role("link", name="API keys").click()
    deeds = page.get_by_role("listitem").filter(has_text="You ·")
    await expect(deeds).to_have_text(
        [re.compile("Saw the secret key.*Test", re.DOTALL), re.compile("Generated a key pair.*Test", re.DOTALL)]
    )
    await page.goto(f"/pay/apps/{app['app_id']}/history?cursor=nonsense")
    await expect(page.get_by_text("Registered the app")).to_be_visible()
