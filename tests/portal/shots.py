"""`make shots`: photographs of every page and every scene, at three widths and in both themes, into `.local/shots`; and what each page
weighs at a first visit.

Looking at them is for a person."""

import asyncio
import re
from typing import Final

import httpx2
from playwright.async_api import async_playwright

from stack.layout import ROOT
from stack.testing import RealStack, remove, temporary_layout
from tests.portal.browsers import Browsing, finished, launch, weight
from tests.portal.everywhere import SIGNED_OUT, STUDIO, House, furnish
from tests.portal.scenes import SCENES
from tests.product import Product, running

FOLDER: Final = ROOT / ".local" / "shots"
WIDTHS: Final = {1440: 900, 768: 1024, 360: 780}


def main() -> None:
    """Start a product of its own, photograph it, stop it."""
    layout = temporary_layout()
    stack = RealStack(layout)
    try:
        stack.start()
        with running(stack) as product:
            asyncio.run(_photograph(product))
    finally:
        stack.stop()
        remove(layout)
    print(f"{len(list(FOLDER.glob('*.png')))} photographs in {FOLDER.relative_to(ROOT)}")  # noqa: T201  # it talks to a person


async def _photograph(product: Product) -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    async with async_playwright() as playwright, httpx2.AsyncClient(timeout=30) as http:
        browsing = Browsing(await launch(playwright), product.pages)
        house = await furnish(product, http)
        for theme in ("light", "dark"):
            for width, height in WIDTHS.items():
                look = {"color_scheme": theme, "viewport": {"width": width, "height": height}}
                for paths, page in ((SIGNED_OUT, await browsing.page(**look)), (house.paths, await house.page(browsing, **look))):
                    for path in paths:
                        await page.goto(path)
                        await page.wait_for_load_state("networkidle")
                        name = f"{_name(path, house, out=paths is SIGNED_OUT)}-{width}-{theme}.png"
                        await page.screenshot(path=FOLDER / name, full_page=True)
                page = await house.page(browsing, **look)
                for scene in SCENES:
                    await scene(page, house)
                    await page.wait_for_load_state("networkidle")
                    name = f"scene-{scene.__name__.replace('_', '-')}-{width}-{theme}.png"
                    await page.evaluate("scrollTo(0, 0)")
                    above = await page.locator("dialog:modal, :popover-open").count()
                    await page.screenshot(path=FOLDER / name, full_page=not above)
        for paths in (SIGNED_OUT, house.paths):
            for path in paths:
                page = await (browsing.page() if paths is SIGNED_OUT else house.page(browsing))
                sent = finished(page)
                await page.goto(path)
                await page.wait_for_load_state("networkidle")
                print(f"{await weight(sent) / 1024:6.1f} KB  {_name(path, house, out=paths is SIGNED_OUT)}")  # noqa: T201  # it talks to a person
                await page.context.close()
        await browsing.close()


def _name(path: str, house: House, *, out: bool = False) -> str:
    """What a page is called in the name of a file; `out` where nobody is signed in, for a page that is there for both."""
    plain = path.replace(house.shop.app_id, "app").replace(house.empty, "empty").replace(house.shop.pair["pair_id"], "pair")
    name = re.sub(r"\W+", "-", plain).strip("-") or "home"
    return f"{name}-signed-out" if out and path in STUDIO else name


if __name__ == "__main__":
    main()
