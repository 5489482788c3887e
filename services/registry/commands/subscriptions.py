"""What registry can be told about subscriptions. One method, one decision, one transaction."""

from functools import partial

from services.registry.domain import subscription as subscriptions
from services.registry.domain.events import SubscriptionEvent
from services.registry.domain.subscription import Subscription
from shared.errors import NotFound
from shared.ids import derived_id, is_id
from shared.store.aggregates import Aggregates, Decided
from shared.store.records import Context


def subscription_id(account_id: str, product_id: str) -> str:
    """The one stream of an account and a product."""
    return derived_id("sub", account_id, product_id)


class SubscriptionCommands:
    """Subscriptions, on behalf of the context's tenant."""

    def __init__(self, subscriptions_: Aggregates[Subscription, SubscriptionEvent]) -> None:
        self._subscriptions = subscriptions_

    async def subscribe(self, product_id: str, context: Context) -> Decided[Subscription]:
        decision = partial(subscriptions.subscribe, account_id=context.tenant, product_id=product_id)
        return await self._subscriptions.decide(subscription_id(context.tenant, product_id), decision, context)

    async def unsubscribe(self, subscription: str, context: Context) -> Decided[Subscription]:
        if not is_id(subscription, "sub"):  # a stream of another kind is not folded, nor told from a missing one
            raise NotFound
        known = self._subscriptions.cached(subscription) or await self._subscriptions.load(subscription)
        subscriptions.require_holder(known.state, context.tenant)
        return await self._subscriptions.decide(subscription, subscriptions.unsubscribe, context)
