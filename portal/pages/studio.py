"""The studio: the dashboard, what I am subscribed to, and the catalogue."""

import asyncio

from fastapi import Response

from portal.apis.calls import attempt
from portal.pages.visit import Fields, Member, PageRouter

router = PageRouter()


@router.get("/")
async def home(visitor: Member) -> Response:
    """The dashboard."""
    products, apps = await asyncio.gather(attempt(visitor.registry.catalog()), attempt(visitor.registry.apps(limit=5)))
    return visitor.page("studio/home.html", section="home", products=products, apps=apps)


@router.get("/applications")
async def applications(visitor: Member) -> Response:
    """S07 to S10."""
    return visitor.page("studio/applications.html", section="applications", products=await attempt(visitor.registry.catalog()))


@router.post("/applications/subscribe")
async def subscribe(visitor: Member, sent: Fields) -> Response:
    """Take a product from the catalogue."""
    await visitor.registry.subscribe(str(sent.get("product_id", "")))
    return visitor.go("/applications", "You are subscribed.")
