"""A registry that authenticates and validates a registration as ours does and then does nothing: what a command's share is a share of."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import Response

from services.registry.api.schemas import AppAnswer, NewApp, app_decided
from services.registry.domain import app as apps
from services.registry.domain.app import App
from services.registry.settings import PREFIX, Settings
from shared.http.app import ServiceApp, create_app
from shared.http.caller import Person
from shared.http.jwks import JwksKeys
from shared.http.revocations import KafkaRevocations
from shared.http.routing import Router
from shared.http.serving import run_main
from shared.http.tokens import TokenChecker
from shared.ids import new_id
from shared.store.aggregates import Decided

router = Router(prefix="/v1/apps", tags=["apps"])


@router.post("", status_code=201)
async def register(body: NewApp, caller: Person, response: Response) -> AppAnswer:
    """Judge the form and answer as if an app had been registered."""
    context = caller.context()
    app_id = new_id("app")
    [event] = apps.register(App(app_id), owner_id=context.tenant, product_id="latchkey-pay", given=body.given(), registered_at=context.now)
    return app_decided(response, Decided(app_id, apps.evolve(App(app_id), event), 1, 1, replayed=False, note={}))


@asynccontextmanager
async def build(settings: Settings) -> AsyncIterator[ServiceApp]:
    """Registry's app without its store."""
    async with AsyncExitStack() as opened:
        keys = await opened.enter_async_context(JwksKeys(f"{settings.identity_url}/.well-known/jwks.json"))
        revocations = await opened.enter_async_context(KafkaRevocations(settings.kafka_bootstrap))
        yield create_app("noop", routers=[router], provides=[], tokens=TokenChecker(keys, revocations), settings=settings)


if __name__ == "__main__":
    run_main("noop", Settings.from_env(PREFIX), build)
