"""The subscription of one account to one product: on or off, on a stream whose id is derived from both."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import assert_never

from services.registry.domain.app import subscriber
from services.registry.domain.catalog import PRODUCTS
from services.registry.domain.errors import NotSubscribed, field_error
from services.registry.domain.events import ServiceSubscribed, ServiceUnsubscribed, SubscriptionEvent
from shared.errors import Invalid, NotFound


@dataclass(frozen=True, slots=True)
class Subscription:
    subscription_id: str
    account_id: str = ""
    product_id: str = ""
    active: bool = False


def evolve(subscription: Subscription, event: SubscriptionEvent) -> Subscription:
    match event:
        case ServiceSubscribed(account_id, product_id):
            return Subscription(subscription.subscription_id, account_id, product_id, active=True)
        case ServiceUnsubscribed(account_id, product_id):
            return Subscription(subscription.subscription_id, account_id, product_id, active=False)
        case _:
            assert_never(event)


def subscribers_touched(_subscription: Subscription, event: SubscriptionEvent) -> Iterable[str]:
    """See `app.names_touched`."""
    match event:
        case ServiceUnsubscribed(account_id):
            return [subscriber(account_id)]
        case ServiceSubscribed():
            return []
        case _:
            assert_never(event)


def require_holder(subscription: Subscription, account_id: str) -> None:
    """Raises NotFound for everybody but the account, as for a subscription that does not exist."""
    if not subscription.account_id or subscription.account_id != account_id:
        raise NotFound


def subscribe(subscription: Subscription, *, account_id: str, product_id: str) -> Sequence[SubscriptionEvent]:
    if product_id not in PRODUCTS:
        raise Invalid(errors=(field_error("product_id", "product_unknown"),))
    return [] if subscription.active else [ServiceSubscribed(account_id, product_id)]


def unsubscribe(subscription: Subscription) -> Sequence[SubscriptionEvent]:
    return [ServiceUnsubscribed(subscription.account_id, subscription.product_id)] if subscription.active else []


def require_active(subscription: Subscription) -> Sequence[SubscriptionEvent]:
    """Nothing happens to the subscription; without it nothing else may."""
    if not subscription.active:
        raise NotSubscribed
    return []
