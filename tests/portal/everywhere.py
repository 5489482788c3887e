"""Every page of the portal, on an account that has something on each of them."""

import asyncio
import secrets
import time
from dataclasses import dataclass
from typing import Final

import httpx2
from playwright.async_api import Page, StorageState

from tests.people import Developer
from tests.portal import shops
from tests.portal.browsers import Browsing, enter
from tests.portal.shops import Shop
from tests.product import Product

SIGNED_OUT: Final = ("/sign-in", "/register", "/verify", "/forgot-password", "/reset-password", "/nowhere")
STUDIO: Final = (
    "/", "/applications", "/pay", "/pay?q=corner", "/pay?q=nothing-of-that-name", "/pay/apps/new", "/account", "/account/sessions",
    "/account/password", "/settings", "/nowhere",
)  # fmt: skip
OF_AN_APP: Final = (
    "", "?status=failed&range=30d", "?status=disputed", "?from=2026-02-01&to=2026-01-01", "/edit", "/transactions",
    "/transactions?from=2026-01-01", "/transactions?transaction_id=none", "/settings/keys", "/settings/keys?environment=test",
    "/settings/gateway", "/settings/domains", "/history", "/history?of=keys",
)  # fmt: skip
OF_AN_EMPTY_APP: Final = ("", "/transactions", "/settings/keys", "/settings/domains")
STALL: Final = "Market Stall"

_FRESH_SECONDS: Final = 120.0  # less than an access token lives: a state that was traded for a newer one elsewhere would end the session


@dataclass
class House:
    """The account, its apps (one with transactions, one that stays empty, one for the scenes), and a browser's state in which it is
    signed in."""

    developer: Developer
    shop: Shop
    empty: str
    stall: str
    state: StorageState | None = None
    kept_at: float = 0.0

    async def page(self, browsing: Browsing, **options: object) -> Page:
        """A page of a new browser that is signed in."""
        if self.state is None or time.monotonic() > self.kept_at + _FRESH_SECONDS:
            page = await browsing.page()
            await enter(page, self.developer)
            self.state, self.kept_at = await page.context.storage_state(), time.monotonic()
            await page.context.close()
        return await browsing.page(storage_state=self.state, **options)

    @property
    def paths(self) -> list[str]:
        """All pages of somebody who is signed in."""
        pair = f"/settings/keys/{self.shop.pair['pair_id']}"
        of_pair = [f"{self.shop.path}{pair}/{action}" for action in ("regenerate", "disable", "revoke")]
        of_app = [self.shop.path + path for path in OF_AN_APP]
        return [*STUDIO, *of_app, *of_pair, *(f"/pay/apps/{self.empty}{path}" for path in OF_AN_EMPTY_APP)]


async def furnish(product: Product, http: httpx2.AsyncClient) -> House:
    """Make the account; its apps have names that are hard on a page."""
    developer = Developer(product, http, password=f"correct-horse-{secrets.token_hex(8)}")
    await developer.register()
    assert (await developer.sign_in()).status_code == 201
    await developer.subscribe()
    shop, empty, stall = await asyncio.gather(
        shops.opened(developer, "Corner Shop"), developer.add_app(name="A-very-long-name-without-any-space-" + "x" * 120),
        developer.add_app(name=STALL),
    )  # fmt: skip
    await shop.sell(*shops.assortment())
    await shops.heard(developer, empty["app_id"])
    await shops.known_to_keys(developer, stall["app_id"])
    return House(developer, shop, empty["app_id"], stall["app_id"])
