"""The app factory: from a service's routers and objects to the ASGI app that its main process serves."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import asyncpg
from fastapi import APIRouter, FastAPI
from prometheus_client import CollectorRegistry
from starlette.types import Receive, Scope, Send

from shared import telemetry
from shared.http import openapi, problems
from shared.http.edge import Edge, HttpMetrics
from shared.http.feed import PublicLog, feed_router
from shared.http.health import Check, Health
from shared.http.paging import Cursors
from shared.http.protocol import HotApp
from shared.http.tokens import TokenChecker
from shared.sealing import derive_key
from shared.settings import ServerSettings, ServiceSettings

BODY_LIMIT: Final = 256 * 1024


class ServedApp(FastAPI):
    """A FastAPI app with its health and its settings: what `serve` needs. `hot`: paths that are answered before anything else runs."""

    health: Health
    settings: ServerSettings
    hot: Mapping[str, HotApp] = MappingProxyType({})


class ServiceApp(ServedApp):
    """The app of a service."""

    settings: ServiceSettings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            app = self.hot.get(scope["path"])
            if app is not None:
                await app(scope, receive, send)
                return
        await super().__call__(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """The OpenAPI document, with every problem and header that an operation can answer with."""
        if self.openapi_schema is None:
            self.openapi_schema = openapi.describe(self)
        return self.openapi_schema


def create_app(
    service: str, *, routers: Sequence[APIRouter], provides: Sequence[object], tokens: TokenChecker, settings: ServiceSettings,
    ready: Sequence[Check] = (), body_limit: int = BODY_LIMIT, hot: Mapping[str, HotApp] | None = None,
    pools: Mapping[str, asyncpg.Pool] | None = None, registry: CollectorRegistry | None = None,
) -> ServiceApp:  # fmt: skip
    """Build the app. Routes find each object of `provides` by its class, and with a `PublicLog` among them there is `GET /v1/feed`;
    `hot` holds exact paths; `body_limit` is in bytes; `/metrics` shows the `pools` by name."""
    app = ServiceApp(
        title=f"Latchkey {service}", version="1", docs_url=None, redoc_url=None, redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )  # fmt: skip
    registry = registry or telemetry.registry()
    telemetry.watch_pools(registry, pools or {})
    app.settings, app.hot, app.health = settings, hot or {}, Health(ready, registry)
    cursors = Cursors(derive_key(settings.master_key, "cursors"))
    app.state.idempotency_key = derive_key(settings.master_key, "idempotency")
    app.state.parts = {type(thing): thing for thing in (cursors, tokens, *provides)}
    public_log = [feed_router(service)] if PublicLog in app.state.parts else []
    for router in [*routers, *public_log]:
        app.router.routes.extend(router.routes)  # as they are: an include would look a route up twice on every request
    problems.install(app)
    app.add_middleware(Edge, body_limit=body_limit, metrics=HttpMetrics(registry))
    return app
