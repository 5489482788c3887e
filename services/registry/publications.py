"""What registry tells everybody: public events, and the public state of each app."""

from collections.abc import Sequence
from typing import assert_never

from latchkey.events import PublicEvent
from latchkey.events import registry as public
from latchkey.states import encode_state
from latchkey.topics import REGISTRY_APP_STATE

from services.registry.domain.app import App
from services.registry.domain.events import (
    AppArchived,
    AppContactChanged,
    AppDetailsChanged,
    AppDisabled,
    AppEnabled,
    AppErased,
    AppEvent,
    AppLogoChanged,
    AppRegistered,
    AppRestored,
    AppStatus,
    DomainAdded,
    DomainRemoved,
    DomainVerified,
    ServiceSubscribed,
    ServiceUnsubscribed,
    SubscriptionEvent,
)
from services.registry.domain.subscription import Subscription
from shared.store.records import State

STATE_KIND = "registry.App.v1"


def publish_app(event: AppEvent, app: App) -> PublicEvent | None:  # noqa: C901, PLR0911, PLR0912  # one case an event: the table is read as a whole
    app_id, owner_id = app.app_id, app.owner_id or ""
    match event:
        case AppRegistered(_, product_id, name, country, _, _, registered_at):
            return public.AppRegistered(
                app_id=app_id, owner_id=owner_id, product_id=product_id, name=name, country=country, status=AppStatus.ACTIVE,
                registered_at=registered_at,
            )  # fmt: skip
        case AppDetailsChanged(changed, name, country):
            return public.AppDetailsChanged(app_id=app_id, owner_id=owner_id, changed=changed, name=name, country=country)
        case AppContactChanged():
            return None
        case AppLogoChanged(logo_hash):
            return public.AppLogoChanged(app_id=app_id, owner_id=owner_id, logo_hash=logo_hash)
        case AppDisabled():
            return public.AppDisabled(app_id=app_id, owner_id=owner_id)
        case AppEnabled():
            return public.AppEnabled(app_id=app_id, owner_id=owner_id)
        case AppArchived():
            return public.AppArchived(app_id=app_id, owner_id=owner_id)
        case AppRestored(status):
            return public.AppRestored(app_id=app_id, owner_id=owner_id, status=status)
        case AppErased():
            return public.AppErased(app_id=app_id, owner_id=owner_id)
        case DomainAdded(domain):
            return public.DomainAdded(app_id=app_id, owner_id=owner_id, domain=domain)
        case DomainVerified(domain):
            return public.DomainVerified(app_id=app_id, owner_id=owner_id, domain=domain)
        case DomainRemoved(domain):
            return public.DomainRemoved(app_id=app_id, owner_id=owner_id, domain=domain)
        case _:
            assert_never(event)


def app_states(event: AppEvent, app: App, streamversion: int) -> Sequence[State]:
    """The whole public state after a public event; nothing, for ever, once the app is erased."""
    if isinstance(event, AppContactChanged):
        return []
    if app.erased or app.registered_at is None:
        return [State(REGISTRY_APP_STATE, None)]
    data = {
        "app_id": app.app_id, "owner_id": app.owner_id, "product_id": app.product_id, "name": app.name, "country": app.country,
        "status": app.status, "logo_hash": app.logo_hash, "registered_at": app.registered_at.isoformat(),
        "verified_domains": sorted(domain.name for domain in app.domains if domain.verified_at),
    }  # fmt: skip
    return [State(REGISTRY_APP_STATE, encode_state(STATE_KIND, app.app_id, streamversion, data))]


def publish_subscription(event: SubscriptionEvent, subscription: Subscription) -> PublicEvent:
    subscription_id = subscription.subscription_id
    match event:
        case ServiceSubscribed(account_id, product_id):
            return public.ServiceSubscribed(subscription_id=subscription_id, account_id=account_id, product_id=product_id)
        case ServiceUnsubscribed(account_id, product_id):
            return public.ServiceUnsubscribed(subscription_id=subscription_id, account_id=account_id, product_id=product_id)
        case _:
            assert_never(event)
