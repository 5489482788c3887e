"""What registry publishes about apps and subscriptions. Contact data is personal and stays out."""

from typing import Annotated, ClassVar

from pydantic import Field

from latchkey.events.public import AccountId, AppId, Instant, ProductId, PublicEvent, open_enum
from latchkey.topics import REGISTRY_APP_EVENTS, REGISTRY_SUBSCRIPTION_EVENTS

AppStatus = Annotated[str, open_enum("active", "disabled", "archived", meaning="where the app stands after the event")]
Country = Annotated[str, Field(description="ISO 3166-1 alpha-2, two letters")]


class AppEvent(PublicEvent):
    """An event of one app; the stream is the app."""

    topic: ClassVar[str] = REGISTRY_APP_EVENTS

    app_id: AppId
    owner_id: AccountId


class AppRegistered(AppEvent):
    """An app came to be, under a product that its owner subscribes to."""

    event_name: ClassVar[str] = "registry.AppRegistered"

    product_id: ProductId
    name: Annotated[str, Field(description="as shown to people; unique for its owner")]
    country: Country
    status: AppStatus
    registered_at: Instant


class AppDetailsChanged(AppEvent):
    """Fields of an app that are not personal changed: `changed` names them, the new values of name and country come along."""

    event_name: ClassVar[str] = "registry.AppDetailsChanged"

    changed: Annotated[tuple[str, ...], Field(description="names of the fields that changed, of those that are not personal")]
    name: Annotated[str | None, Field(description="the new name, when it changed")] = None
    country: Annotated[str | None, Field(description="ISO 3166-1 alpha-2: the new country, when it changed")] = None


class AppLogoChanged(AppEvent):
    """The app has another logo, or none when `logo_hash` is null."""

    event_name: ClassVar[str] = "registry.AppLogoChanged"

    logo_hash: Annotated[str | None, Field(description="SHA-256 of the PNG, in hex; null: no logo")] = None


class AppDisabled(AppEvent):
    """The owner switched the app off; its keys are refused."""

    event_name: ClassVar[str] = "registry.AppDisabled"


class AppEnabled(AppEvent):
    """The owner switched the app on again."""

    event_name: ClassVar[str] = "registry.AppEnabled"


class AppArchived(AppEvent):
    """The app was put away; its name is free again and its keys are refused."""

    event_name: ClassVar[str] = "registry.AppArchived"


class AppRestored(AppEvent):
    """The app was taken out of the archive and is what it was before."""

    event_name: ClassVar[str] = "registry.AppRestored"

    status: AppStatus


class AppErased(AppEvent):
    """The app's owner was erased: nothing brings the app back, and whoever keeps its name, logo or domains erases them too."""

    event_name: ClassVar[str] = "registry.AppErased"


class DomainEvent(AppEvent):
    """An event of one domain of an app."""

    domain: Annotated[str, Field(description="a host name in lower-case ASCII, as the Origin header has it")]


class DomainAdded(DomainEvent):
    """The owner says that the domain is theirs; nothing proves it yet."""

    event_name: ClassVar[str] = "registry.DomainAdded"


class DomainVerified(DomainEvent):
    """The domain's DNS proved it: the app's public keys may be used on its pages and on those of the domains beneath it."""

    event_name: ClassVar[str] = "registry.DomainVerified"


class DomainRemoved(DomainEvent):
    """The domain is the app's no longer, proven or not."""

    event_name: ClassVar[str] = "registry.DomainRemoved"


class SubscriptionEvent(PublicEvent):
    """An event of one account's subscription to one product; the stream is the subscription."""

    topic: ClassVar[str] = REGISTRY_SUBSCRIPTION_EVENTS

    subscription_id: Annotated[str, Field(description="the subscription of the account to the product, sub_…")]
    account_id: AccountId
    product_id: ProductId


class ServiceSubscribed(SubscriptionEvent):
    """The account subscribed to the product."""

    event_name: ClassVar[str] = "registry.ServiceSubscribed"


class ServiceUnsubscribed(SubscriptionEvent):
    """The account ended its subscription; the keys of its apps under the product are refused."""

    event_name: ClassVar[str] = "registry.ServiceUnsubscribed"
