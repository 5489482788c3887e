"""What can happen in registry. Contact data is personal: sealed in the log under the app's own key, never published."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from shared.personal import Personal


class AppStatus(StrEnum):
    ACTIVE = "active"
    DISABLED = "disabled"
    ARCHIVED = "archived"


@dataclass(frozen=True, slots=True)
class Contact:
    """How the people behind an app are reached."""

    email: str
    address: str
    postal_code: str
    city: str | None
    phone: str | None


@dataclass(frozen=True, slots=True)
class AppRegistered:
    owner_id: str
    product_id: str
    name: str
    country: str
    state: str | None
    contact: Personal[Contact]
    registered_at: datetime


@dataclass(frozen=True, slots=True)
class AppDetailsChanged:
    changed: tuple[str, ...]
    name: str
    country: str
    state: str | None


@dataclass(frozen=True, slots=True)
class AppContactChanged:
    changed: tuple[str, ...]
    contact: Personal[Contact]


@dataclass(frozen=True, slots=True)
class AppLogoChanged:
    logo_hash: str | None


@dataclass(frozen=True, slots=True)
class AppDisabled:
    pass


@dataclass(frozen=True, slots=True)
class AppEnabled:
    pass


@dataclass(frozen=True, slots=True)
class AppArchived:
    pass


@dataclass(frozen=True, slots=True)
class AppRestored:
    status: AppStatus


@dataclass(frozen=True, slots=True)
class AppErased:
    pass


@dataclass(frozen=True, slots=True)
class DomainAdded:
    """`proof` is what the owner shows in the domain's DNS; it opens nothing."""

    domain: str
    proof: str
    added_at: datetime


@dataclass(frozen=True, slots=True)
class DomainVerified:
    domain: str
    verified_at: datetime


@dataclass(frozen=True, slots=True)
class DomainRemoved:
    domain: str


@dataclass(frozen=True, slots=True)
class ServiceSubscribed:
    account_id: str
    product_id: str


@dataclass(frozen=True, slots=True)
class ServiceUnsubscribed:
    account_id: str
    product_id: str


AppChange = AppDetailsChanged | AppContactChanged | AppLogoChanged
AppTurn = AppDisabled | AppEnabled | AppArchived | AppRestored | AppErased
DomainEvent = DomainAdded | DomainVerified | DomainRemoved
AppEvent = AppRegistered | AppChange | AppTurn | DomainEvent
SubscriptionEvent = ServiceSubscribed | ServiceUnsubscribed

STORED: dict[str, tuple[type[Any], int]] = {
    "registry.AppRegistered": (AppRegistered, 1),
    "registry.AppDetailsChanged": (AppDetailsChanged, 1),
    "registry.AppContactChanged": (AppContactChanged, 1),
    "registry.AppLogoChanged": (AppLogoChanged, 1),
    "registry.AppDisabled": (AppDisabled, 1),
    "registry.AppEnabled": (AppEnabled, 1),
    "registry.AppArchived": (AppArchived, 1),
    "registry.AppRestored": (AppRestored, 1),
    "registry.AppErased": (AppErased, 1),
    "registry.DomainAdded": (DomainAdded, 1),
    "registry.DomainVerified": (DomainVerified, 1),
    "registry.DomainRemoved": (DomainRemoved, 1),
    "registry.ServiceSubscribed": (ServiceSubscribed, 1),
    "registry.ServiceUnsubscribed": (ServiceUnsubscribed, 1),
}
"""Stored name to class and schema version."""
