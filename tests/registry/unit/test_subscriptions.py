"""S08, S09: an account's subscription to a product."""

from collections.abc import Sequence
from functools import reduce

import pytest

from services.registry.domain import subscription as subscriptions
from services.registry.domain.errors import NotSubscribed
from services.registry.domain.events import ServiceSubscribed, ServiceUnsubscribed, SubscriptionEvent
from services.registry.domain.subscription import Subscription
from shared.errors import Invalid, NotFound

ON, OFF = ServiceSubscribed("acc_1", "latchkey-pay"), ServiceUnsubscribed("acc_1", "latchkey-pay")


def after(*events: SubscriptionEvent) -> Subscription:
    return reduce(subscriptions.evolve, events, Subscription("sub_1"))


def subscribing(to: Subscription, product_id: str = "latchkey-pay") -> Sequence[SubscriptionEvent]:
    return subscriptions.subscribe(to, account_id="acc_1", product_id=product_id)


def test_subscribing_twice_is_one_event() -> None:
    assert subscribing(after()) == [ON]
    assert subscribing(after(ON)) == []
    assert subscribing(after(ON, OFF)) == [ON]


def test_a_product_that_is_not_in_the_catalogue_is_refused() -> None:
    with pytest.raises(Invalid) as refused:
        subscribing(after(), "latchkey-gold")
    assert [(error.pointer, error.code) for error in refused.value.errors] == [("/product_id", "registry.product_unknown")]


def test_unsubscribing_twice_is_one_event() -> None:
    assert subscriptions.unsubscribe(after(ON)) == [OFF]
    assert subscriptions.unsubscribe(after(ON, OFF)) == []
    assert subscriptions.unsubscribe(after()) == []


def test_what_needs_a_subscription_is_refused_without_one() -> None:
    assert subscriptions.require_active(after(ON)) == []
    for ended in (after(), after(ON, OFF)):
        with pytest.raises(NotSubscribed):
            subscriptions.require_active(ended)


def test_a_subscription_is_its_accounts_alone() -> None:
    subscriptions.require_holder(after(ON), "acc_1")
    for held, account in ((after(ON), "acc_2"), (after(), "acc_1"), (after(), "")):
        with pytest.raises(NotFound):
            subscriptions.require_holder(held, account)
