"""Chromium, and a watch over each page: what a browser complains of fails the test."""

import shutil
from dataclasses import dataclass, field
from typing import Final

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Playwright, Request, Response

from tests.people import Developer

PATIENCE_MS: Final = 60_000  # on a busy machine; Playwright returns as soon as what is waited for is there
_ARGUMENTS: Final = ("--no-sandbox", "--disable-background-networking", "--disable-dev-shm-usage", "--disable-gpu")
_RESOURCE: Final = "Failed to load resource"  # said of every status from 400 on; the watch judges the responses themselves


async def launch(playwright: Playwright) -> Browser:
    """Start Debian's Chromium, or Playwright's own where there is none. Raises RuntimeError when neither is installed."""
    own = playwright.chromium.executable_path
    found = shutil.which("chromium") or shutil.which(own)
    if found is None:
        raise RuntimeError("Chromium is missing: `bash stack/bootstrap.sh browser` installs it, and `make test` does so by itself.")
    return await playwright.chromium.launch(executable_path=found, args=list(_ARGUMENTS))


@dataclass
class Watch:
    """Collects what went wrong in the pages of one context: console errors (violations of the CSP among them), exceptions that nobody
    caught, requests that failed, and resources that answered with an error. What a page itself answers is for the test to judge."""

    complaints: list[str] = field(default_factory=list)

    def over(self, context: BrowserContext) -> None:
        """Watch all pages of a context, those opened later too."""
        context.on("console", self._console)
        context.on("weberror", lambda error: self.complaints.append(f"uncaught: {error.error}"))
        context.on("requestfailed", self._failed)
        context.on("response", self._answered)

    def forgive(self, *words: str) -> None:
        """Strike out complaints that a test provoked on purpose."""
        self.complaints = [one for one in self.complaints if not any(word in one for word in words)]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and _RESOURCE not in message.text:
            self.complaints.append(f"{message.type} on the console: {message.text}")

    def _failed(self, request: Request) -> None:
        # Aborted is what the browser itself gave up: a fetch when the page is left, a navigation that became a download.
        if request.failure != "net::ERR_ABORTED":
            self.complaints.append(f"failed: {request.method} {request.url} {request.failure}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400 and not response.request.is_navigation_request():
            self.complaints.append(f"{response.status}: {response.request.method} {response.url}")


def finished(page: Page) -> list[Request]:
    """The requests of the page, as they come."""
    found: list[Request] = []
    page.on("requestfinished", lambda request: found.append(request))  # noqa: PLW0108  # Playwright marks the function that it is given
    return found


async def weight(requests: list[Request]) -> int:
    """What they brought over the wire, in bytes."""
    return sum([(await request.sizes())["responseBodySize"] for request in requests])


@dataclass
class Browsing:
    """Opens pages, each in a context of its own, and keeps watch over all of them."""

    browser: Browser
    pages: str
    watch: Watch = field(default_factory=Watch)
    opened: list[BrowserContext] = field(default_factory=list)

    async def context(self, **options: object) -> BrowserContext:
        """A browser that has never been here. `options` are Playwright's (`java_script_enabled`, `color_scheme`, `viewport`, …)."""
        told: dict[str, object] = {
            "base_url": self.pages, "viewport": {"width": 1440, "height": 900}, "locale": "en-GB", "timezone_id": "Europe/Berlin",
            "reduced_motion": "reduce", "accept_downloads": True,
        }  # fmt: skip
        context = await self.browser.new_context(**(told | options))  # type: ignore[arg-type]  # the options are spelt by the caller
        context.set_default_timeout(PATIENCE_MS)
        self.watch.over(context)
        self.opened.append(context)
        return context

    async def page(self, **options: object) -> Page:
        """A page of a new context."""
        return await (await self.context(**options)).new_page()

    async def close(self) -> None:
        """Leave, and fail the test when a browser complained."""
        for context in self.opened:
            await context.close()
        assert not self.watch.complaints, "\n".join(self.watch.complaints)


async def enter(page: Page, who: Developer) -> None:
    """Sign in as a person does."""
    await page.goto("/sign-in")
    await page.get_by_label("Enter Your Email").fill(who.email)
    await page.get_by_label("Enter Password").fill(who.password)
    await page.get_by_role("button", name="Sign In").click()
    await page.wait_for_url(lambda url: "/sign-in" not in url)
