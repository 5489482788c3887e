"""A part that is away breaks only what it is for: every other page, and every other card of a page, is there within two seconds."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from playwright.async_api import Page, expect

from tests.people import Developer
from tests.portal.browsers import Browsing
from tests.portal.conftest import SignedIn
from tests.portal.everywhere import House
from tests.portal.keyring import generate
from tests.product import Product

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]
MOST_MS = 2_000
_WELL = {"/nowhere": {404}}  # no page, whatever is away; 422 where a page has a wrong date on purpose


@pytest.fixture(autouse=True)
def _late_numbers(browsing: Browsing) -> Iterator[None]:
    """Forgive what the overview fetches every five seconds while a part is away: the page says that it is late."""
    yield
    browsing.watch.forgive("/numbers?")


@contextmanager
def frozen(product: Product, service: str) -> Iterator[None]:
    """A service that takes connections and says nothing, which is worse than one that is gone."""
    product.freeze(f"{service}-main")
    try:
        yield
    finally:
        product.thaw(f"{service}-main")


@contextmanager
def stopped(stop: Callable[[], None], start: Callable[[], None]) -> Iterator[None]:
    """A part that is gone."""
    stop()
    try:
        yield
    finally:
        start()


async def opened(page: Page, path: str) -> None:
    """Go there, within two seconds: the best of three, for other processes of the machine have their turns too."""
    times = []
    for _ in range(3):
        answer = await page.goto(path)
        assert answer is not None
        assert answer.status in _WELL.get(path.partition("?")[0], {200, 422, 503}), path
        timing = answer.request.timing
        times.append(timing["responseStart"] - timing["requestStart"])
        if times[-1] <= MOST_MS:
            return
    raise AssertionError(f"{path} took {times} ms")


async def all_pages_open(page: Page, house: House) -> None:
    """Every page of the account renders, one way or the other, with its frame."""
    for path in house.paths:
        await opened(page, path)
        await expect(page.get_by_role("heading", level=1)).to_be_visible()


async def test_without_metrics_the_numbers_say_so_and_everything_else_works(browsing: Browsing, house: House, product: Product) -> None:
    page = await house.page(browsing)
    with frozen(product, "metrics"):
        await opened(page, house.shop.path)
        await expect(page.get_by_text("The numbers cannot be shown now")).to_be_visible()
        await expect(page.get_by_text("The metrics service does not answer at the moment.")).to_be_visible()
        await expect(page.get_by_role("navigation", name="App")).to_contain_text("Corner Shop")
        await opened(page, f"{house.shop.path}/transactions")
        await expect(page.get_by_text("The transactions cannot be shown now")).to_be_visible()
        await opened(page, f"{house.shop.path}/settings/keys")
        await expect(page.get_by_text(house.shop.pair["public_key"]).first).to_be_visible()
        await expect(page.get_by_text("It is not known now when keys were last used.")).to_be_visible()
        await expect(page.get_by_text("The metrics service does not answer at the moment.")).to_be_visible()
        await all_pages_open(page, house)
    await opened(page, house.shop.path)
    await expect(page.locator("#total")).to_have_text("7")


async def test_a_secret_is_shown_also_before_metrics_has_heard_of_the_app(
    developer: Developer, signed_in: SignedIn, product: Product
) -> None:
    """Its other pages say that the numbers come later; none of them is missing."""
    product.freeze("metrics-worker")
    try:
        app = await developer.add_app()
        page = await signed_in()
        assert len((await generate(page, app["app_id"])).secret) > 40
        for path in ("settings/keys", "settings/gateway", "transactions", ""):
            answer = await page.goto(f"/pay/apps/{app['app_id']}/{path}".removesuffix("/"))
            assert answer is not None
            assert answer.status == 200, path
    finally:
        product.thaw("metrics-worker")


async def test_without_keys_the_overview_works_but_for_the_choice_of_a_key(browsing: Browsing, house: House, product: Product) -> None:
    page = await house.page(browsing)
    with frozen(product, "keys"):
        await opened(page, house.shop.path)
        await expect(page.locator("#total")).to_have_text("7")
        await page.locator("summary", has_text="Filters").click()
        await expect(page.get_by_text("The keys service does not answer at the moment.")).to_be_visible()
        await opened(page, f"{house.shop.path}/settings/keys")
        await expect(page.get_by_text("The keys service does not answer at the moment.").first).to_be_visible()
        await all_pages_open(page, house)


async def test_without_registry_the_numbers_and_the_keys_are_there(browsing: Browsing, house: House, product: Product) -> None:
    page = await house.page(browsing)
    with frozen(product, "registry"):
        await opened(page, house.shop.path)
        await expect(page.locator("#total")).to_have_text("7")
        await expect(page.get_by_text("The registry service does not answer at the moment.").first).to_be_visible()
        await opened(page, "/pay")
        await expect(page.get_by_text("The registry service does not answer at the moment.").first).to_be_visible()
        await all_pages_open(page, house)


async def test_without_identity_who_is_signed_in_stays_so(browsing: Browsing, house: House, product: Product) -> None:
    page = await house.page(browsing)
    with frozen(product, "identity"):
        await opened(page, house.shop.path)
        await expect(page.locator("#total")).to_have_text("7")
        await opened(page, "/account")
        await expect(page.get_by_text("The identity service does not answer at the moment.").first).to_be_visible()
        await all_pages_open(page, house)


async def test_signing_out_while_identity_is_away_says_that_the_session_is_not_over(signed_in: SignedIn, product: Product) -> None:
    page = await signed_in()
    await page.goto("/account")
    with frozen(product, "identity"):
        await page.get_by_role("button", name="Sign out").first.click()
        await expect(page.get_by_text("The session could not be ended elsewhere")).to_be_visible()
    await page.goto("/account")
    await expect(page).to_have_url(re.compile("/sign-in"))


async def test_without_kafka_every_page_is_there(browsing: Browsing, house: House, product: Product) -> None:
    page = await house.page(browsing)
    kafka = product.stack.kafka
    with stopped(kafka.stop, kafka.start):
        await all_pages_open(page, house)
        await opened(page, house.shop.path)
        await expect(page.locator("#total")).to_have_text("7")


async def test_without_redis_every_page_is_there(browsing: Browsing, house: House, product: Product) -> None:
    page = await house.page(browsing)
    valkey = product.stack.valkey
    with stopped(valkey.stop, valkey.start):
        await all_pages_open(page, house)
        await opened(page, house.shop.path)
        await expect(page.locator("#total")).to_have_text("7")
