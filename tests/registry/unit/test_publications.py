"""S53: what others hear of an app and of a subscription, and that it is nothing personal."""

from functools import reduce

import pytest
from latchkey.events import PublicEvent
from latchkey.events import registry as public
from latchkey.states import decode_state

from services.registry.domain import app as apps
from services.registry.domain import subscription as subscriptions
from services.registry.domain.app import App
from services.registry.domain.events import (
    AppArchived,
    AppContactChanged,
    AppDisabled,
    AppEnabled,
    AppErased,
    AppEvent,
    AppLogoChanged,
    AppRestored,
    AppStatus,
    DomainAdded,
    DomainRemoved,
    DomainVerified,
    ServiceSubscribed,
    ServiceUnsubscribed,
)
from services.registry.domain.subscription import Subscription
from services.registry.publications import app_states, publish_app, publish_subscription
from tests.registry.builders import CONTACT, NOW, REGISTERED, RENAMED, contact

OF = {"app_id": "app_1", "owner_id": "acc_1"}
PUBLIC: list[tuple[AppEvent, PublicEvent | None]] = [
    (
        REGISTERED,
        public.AppRegistered(**OF, product_id="latchkey-pay", name="Corner Shop", country="US", status="active", registered_at=NOW),
    ),
    (RENAMED, public.AppDetailsChanged(**OF, changed=("name",), name="Corner Store", country="US")),
    (AppContactChanged(("email",), contact(email="new@example.com")), None),
    (AppLogoChanged("h1"), public.AppLogoChanged(**OF, logo_hash="h1")),
    (AppDisabled(), public.AppDisabled(**OF)),
    (AppEnabled(), public.AppEnabled(**OF)),
    (AppArchived(), public.AppArchived(**OF)),
    (AppRestored(AppStatus.DISABLED), public.AppRestored(**OF, status="disabled")),
    (AppErased(), public.AppErased(**OF)),
    (DomainAdded("shop.example", "p1", NOW), public.DomainAdded(**OF, domain="shop.example")),
    (DomainVerified("shop.example", NOW), public.DomainVerified(**OF, domain="shop.example")),
    (DomainRemoved("shop.example"), public.DomainRemoved(**OF, domain="shop.example")),
]


def after(*events: AppEvent) -> App:
    return reduce(apps.evolve, events, App("app_1"))


@pytest.mark.parametrize(("event", "said"), PUBLIC, ids=[type(event).__name__ for event, _ in PUBLIC])
def test_what_is_published_of_an_app(event: AppEvent, said: PublicEvent | None) -> None:
    before = () if event is REGISTERED else (REGISTERED,)
    assert publish_app(event, after(*before, event)) == said


@pytest.mark.parametrize("event", [event for event, _ in PUBLIC], ids=[type(event).__name__ for event, _ in PUBLIC])
def test_no_contact_data_is_published(event: AppEvent) -> None:
    app = after(REGISTERED, event)
    said = publish_app(event, app)
    texts = [said.model_dump_json() if said else "", *(state.text or "" for state in app_states(event, app, 2))]
    for secret in (CONTACT.email, CONTACT.address, CONTACT.postal_code, CONTACT.city, CONTACT.phone, "new@example.com"):
        assert not any(str(secret) in text for text in texts)


def test_the_state_after_each_public_event_is_whole() -> None:
    domains = [DomainAdded(name, "needle", NOW) for name in ("shop.example", "b.example", "a.example")]
    verified = [DomainVerified("shop.example", NOW), DomainVerified("a.example", NOW)]
    app = after(REGISTERED, *domains, *verified, AppLogoChanged("h1"), AppDisabled())
    [state] = app_states(AppDisabled(), app, 3)
    assert state.topic == "registry.app.state.v1"
    record = decode_state((state.text or "").encode())
    assert record is not None
    assert (record.kind, record.stream_id, record.streamversion) == ("registry.App.v1", "app_1", 3)
    assert record.data == {
        "app_id": "app_1", "owner_id": "acc_1", "product_id": "latchkey-pay", "name": "Corner Shop", "country": "US", "status": "disabled",
        "logo_hash": "h1", "registered_at": NOW.isoformat(), "verified_domains": ["a.example", "shop.example"],
    }  # fmt: skip


def test_an_event_that_is_not_published_leaves_no_state() -> None:
    assert app_states(AppContactChanged(("email",), CONTACT), after(REGISTERED), 1) == []


def test_an_erased_app_leaves_a_tombstone() -> None:
    [state] = app_states(AppErased(), after(REGISTERED, AppArchived(), AppErased()), 3)
    assert state.text is None


def test_what_is_published_of_a_subscription() -> None:
    on, off = ServiceSubscribed("acc_1", "latchkey-pay"), ServiceUnsubscribed("acc_1", "latchkey-pay")
    held = subscriptions.evolve(Subscription("sub_1"), on)
    of = {"subscription_id": "sub_1", "account_id": "acc_1", "product_id": "latchkey-pay"}
    assert publish_subscription(on, held) == public.ServiceSubscribed(**of)
    assert publish_subscription(off, held) == public.ServiceUnsubscribed(**of)
