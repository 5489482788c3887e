"""The one place where the portal's objects are built."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import httpx2
from fastapi import APIRouter
from starlette.routing import Mount

from portal.assets import Assets
from portal.headers import SECURITY
from portal.pages import access, account, apps, domains, errors, gateway, history, keys, overview, studio, transactions
from portal.pages.places import Places
from portal.pages.visit import Parts
from portal.rendering import Pages
from portal.session import Refresher, SessionCookie, SessionSeal
from portal.settings import Settings
from shared import telemetry
from shared.http.app import ServedApp
from shared.http.edge import Edge, HttpMetrics
from shared.http.health import Health

BODY_LIMIT: Final = 8 * 1024 * 1024
"""Bytes. A picture that is too large for a logo shall come back as an error of its field, not of the page."""
ROUTERS: Final[Sequence[APIRouter]] = tuple(
    area.router for area in (access, studio, apps, account, overview, transactions, keys, gateway, domains, history)
)
_CONNECTIONS: Final = httpx2.Limits(max_connections=200, max_keepalive_connections=50)


@asynccontextmanager
async def build_main(settings: Settings) -> AsyncIterator[ServedApp]:
    """The portal on the four services. It is ready without them: a service that is away breaks its own cards only."""
    addresses = {
        "identity": settings.identity_url, "registry": settings.registry_url, "keys": settings.keys_url, "metrics": settings.metrics_url,
        "transactions": settings.public_metrics_url or settings.metrics_url,
    }  # fmt: skip
    async with httpx2.AsyncClient(limits=_CONNECTIONS, timeout=None, trust_env=False) as http:
        assets = Assets()
        pages = Pages(assets)
        pages.compile()
        parts = Parts(pages, addresses, http, settings.read_ms / 1000, Refresher(), Places())
        yield build_app(settings, parts, assets)


def build_app(settings: Settings, parts: Parts, assets: Assets) -> ServedApp:
    """The ASGI app: edge, session, pages."""
    registry = telemetry.registry()
    app = ServedApp(
        title="Latchkey portal", docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )  # fmt: skip
    app.settings, app.health, app.state.parts = settings, Health((), registry), parts
    app.router.routes.append(Mount("/static", assets))
    for router in ROUTERS:
        app.router.routes.extend(router.routes)
    errors.install(app)
    app.add_middleware(SessionCookie, seal=SessionSeal(settings.session_keys))
    app.add_middleware(
        Edge, body_limit=BODY_LIMIT, metrics=HttpMetrics(registry), headers=SECURITY, refuse=errors.outermost(parts.pages)
    )  # fmt: skip
    return app
