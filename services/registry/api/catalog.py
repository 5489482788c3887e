"""The catalogue and the account's subscriptions over HTTP."""

from typing import Annotated

from fastapi import Response

from services.registry.api.schemas import (
    CatalogAnswer,
    Items,
    NewSubscription,
    SubscriptionAnswer,
    subscription_decided,
    subscription_read,
)
from services.registry.commands.subscriptions import SubscriptionCommands
from services.registry.queries import RegistryQueries
from shared.http.caller import MaybeIfMatch, Person
from shared.http.headers import tagged, versioned
from shared.http.routing import Router, provided

router = Router(prefix="/v1", tags=["catalogue"])
Commands = Annotated[SubscriptionCommands, provided(SubscriptionCommands)]
Queries = Annotated[RegistryQueries, provided(RegistryQueries)]


@router.get("/catalog")
async def catalog(caller: Person, queries: Queries) -> Items[CatalogAnswer]:
    """What can be subscribed to."""
    return Items(items=[CatalogAnswer.model_validate(item) for item in await queries.list_catalog(tenant=caller.account_id)])


@router.post("/subscriptions", status_code=201)
async def subscribe(body: NewSubscription, caller: Person, response: Response, commands: Commands) -> SubscriptionAnswer:
    """Subscribe to a product. There is one subscription to a product, however often it is asked for."""
    return subscription_decided(response, await commands.subscribe(body.product_id, caller.context()))


@router.get("/subscriptions")
async def subscriptions(caller: Person, queries: Queries) -> Items[SubscriptionAnswer]:
    """What the account is subscribed to now."""
    return Items(items=[subscription_read(held) for held in await queries.list_subscriptions(tenant=caller.account_id)])


@router.get("/subscriptions/{subscription_id}")
async def get_subscription(subscription_id: str, caller: Person, response: Response, queries: Queries) -> SubscriptionAnswer:
    """One subscription, also an ended one."""
    view = await queries.get_subscription(subscription_id, tenant=caller.account_id)
    tagged(response, view.version)
    return subscription_read(view)


@router.delete("/subscriptions/{subscription_id}", status_code=204)
async def unsubscribe(subscription_id: str, caller: Person, expected: MaybeIfMatch, response: Response, commands: Commands) -> None:
    """End a subscription: the keys of the account's apps are refused until it subscribes again."""
    versioned(response, "registry", await commands.unsubscribe(subscription_id, caller.context(expected)))
