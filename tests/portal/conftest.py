"""A browser on the running product, and people who are already registered: over HTTP, where registering is not what is tested."""

from collections.abc import AsyncIterator, Awaitable, Callable

import httpx2
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.people import Developer
from tests.portal.browsers import PATIENCE_MS, Browsing, enter, launch
from tests.portal.everywhere import House, furnish
from tests.product import Product

SignedIn = Callable[..., Awaitable[Page]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests that drive a browser on one event loop, for the browser outlives each of them."""
    for item in items:
        if "tests/portal/" in item.path.as_posix() and item.get_closest_marker("stack"):
            item.add_marker(pytest.mark.asyncio(loop_scope="session"), append=False)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(300))  # Whichever is the first starts the product too.


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """One Chromium for the whole run."""
    async with async_playwright() as playwright:
        expect.set_options(timeout=PATIENCE_MS)
        started = await launch(playwright)
        yield started
        await started.close()


@pytest_asyncio.fixture(loop_scope="session")
async def browsing(product: Product, browser: Browser) -> AsyncIterator[Browsing]:
    """Opens pages that share nothing with another test's; afterwards nothing may have been complained of."""
    opens = Browsing(browser, product.pages)
    yield opens
    await opens.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(browsing: Browsing) -> Page:
    """A page of somebody who is not signed in."""
    return await browsing.page()


@pytest_asyncio.fixture(loop_scope="session")
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    """For what is not done in the browser."""
    async with httpx2.AsyncClient(timeout=30) as client:
        yield client


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def house(product: Product) -> AsyncIterator[House]:
    """One furnished account for all tests that only look."""
    async with httpx2.AsyncClient(timeout=30) as client:
        yield await furnish(product, client)


@pytest_asyncio.fixture(loop_scope="session")
async def developer(product: Product, http: httpx2.AsyncClient) -> Developer:
    """Registered, verified and subscribed, with a token for calls beside the browser; nobody is signed in to the portal."""
    made = Developer(product, http)
    await made.register()
    assert (await made.sign_in()).status_code == 201
    await made.subscribe()
    return made


@pytest.fixture
def signed_in(browsing: Browsing, developer: Developer) -> SignedIn:
    """Gives a page of the developer at home, signed in; `who=` signs somebody else in, the rest are options of the context."""

    async def sign_in(who: Developer = developer, **options: object) -> Page:
        page = await browsing.page(**options)
        await enter(page, who)
        return page

    return sign_in
