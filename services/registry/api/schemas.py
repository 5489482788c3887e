"""The shapes of registry's requests and answers."""

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Generic, Literal, TypeVar

from fastapi import Response
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from services.registry.commands.apps import NewLogo
from services.registry.domain import domains
from services.registry.domain.app import App
from services.registry.domain.details import LONGEST, NAME_LENGTH, OPTIONAL
from services.registry.domain.events import AppStatus, Contact
from services.registry.domain.hostnames import LONGEST_NAME, challenge, evidence
from services.registry.domain.subscription import Subscription
from services.registry.queries import AppView, DomainView, HistoryEntry, SubscriptionView
from shared.http.headers import versioned
from shared.http.schemas import Body
from shared.store.aggregates import Decided

T = TypeVar("T")
_LOGO: Final = {
    "type": "string", "contentEncoding": "base64", "description": "PNG or JPEG by its content, at most 102,400 bytes before the encoding",
}  # fmt: skip


def _text(field: str, description: str, *, optional: bool = False) -> WithJsonSchema:
    """A field as the contract shows it."""
    least, longest = (NAME_LENGTH.start, NAME_LENGTH.stop - 1) if field == "name" else (1, LONGEST[field])
    schema: dict[str, Any] = {"type": "string", "minLength": least, "maxLength": longest}
    return WithJsonSchema(({"anyOf": [schema, {"type": "null"}]} if optional else schema) | {"description": description})


def _as_changes(schema: dict[str, Any]) -> None:
    """Show what the domain insists on; that a field was not sent is no default of it."""
    schema["additionalProperties"] = False
    for shown in schema["properties"].values():
        shown.pop("default", None)


def _as_form(schema: dict[str, Any]) -> None:
    _as_changes(schema)
    schema["required"] = [field for field in schema["properties"] if field not in OPTIONAL | {"logo"}]


class AppChanges(Body):
    """The fields of the form that are to change; null clears an optional one.

    Anything is taken here, unknown fields too: the domain judges all of them together, so that everything wrong is named at once.
    """

    model_config = ConfigDict(extra="allow", json_schema_extra=_as_changes)

    name: Annotated[Any, _text("name", "unique among your apps")] = None
    email: Annotated[Any, _text("email", "where the people behind the app are reached")] = None
    address: Annotated[Any, _text("address", "free text")] = None
    country: Annotated[Any, _text("country", "ISO 3166-1 alpha-2, see GET /v1/countries")] = None
    postal_code: Annotated[Any, _text("postal_code", "in the form of the country, where it has one")] = None
    phone: Annotated[Any, _text("phone", "begins with + and the country's code", optional=True)] = None
    state: Annotated[Any, _text("state", "ISO 3166-2, see GET /v1/countries/{code}/states", optional=True)] = None
    city: Annotated[Any, _text("city", "free text", optional=True)] = None

    logo: Annotated[Any, WithJsonSchema({"anyOf": [_LOGO, {"type": "null"}]})] = None

    def given(self) -> Mapping[str, object]:
        """What was sent, but for the logo."""
        return self.model_dump(exclude_unset=True, exclude={"logo"})

    def image(self) -> bytes | None:
        """The logo's bytes; bytes of no picture for what is not base64, which the domain then refuses with the rest."""
        if self.logo is None:
            return None
        try:
            return base64.b64decode(self.logo, validate=True)
        except (TypeError, ValueError):
            return b""

    def new_logo(self) -> NewLogo | None:
        """The logo to show from now on, which may be none; nothing when it stays as it is."""
        return NewLogo(self.image()) if "logo" in self.model_fields_set else None


class NewApp(AppChanges):
    """The form of an app. Everything wrong with it is named at once."""

    model_config = ConfigDict(json_schema_extra=_as_form)


class AppAnswer(BaseModel):
    """An app as its owner sees it."""

    model_config = ConfigDict(from_attributes=True)

    app_id: str
    product_id: str
    name: str
    email: str
    address: str
    country: str
    state: str | None
    city: str | None
    postal_code: str
    phone: str | None
    status: AppStatus
    logo_hash: Annotated[str | None, Field(description="SHA-256 of the PNG at …/logo, in hex; null without a logo")]
    registered_at: datetime
    version: int


class NewDomain(Body):
    """Which domain to add. The domain judges what is a host name."""

    domain: Annotated[str, Field(min_length=1, max_length=LONGEST_NAME, description="a host name such as shop.example, in any script")]


class TextRecord(BaseModel):
    """A record to set in DNS."""

    name: str
    type: Literal["TXT"] = "TXT"
    value: str


class DomainAnswer(BaseModel):
    """A domain of an app; its pages may use the app's public keys once it is verified."""

    domain: Annotated[str, Field(description="in lower-case ASCII")]
    status: Literal["pending", "verified"]
    record: Annotated[TextRecord, Field(description="what proves the domain when it is verified; afterwards it may be taken away")]
    added_at: datetime
    verified_at: datetime | None


class HistoryItem(BaseModel):
    """One thing that happened to an app; `changed` names fields, never values; `domain` is the one that it is about."""

    model_config = ConfigDict(from_attributes=True)

    version: int
    event: str
    actor: str
    at: datetime
    changed: Sequence[str]
    domain: str | None


class NewSubscription(Body):
    """Which product to subscribe to."""

    product_id: Annotated[str, Field(max_length=64)]


class SubscriptionAnswer(BaseModel):
    """A subscription of the account to a product."""

    subscription_id: str
    product_id: str
    active: bool
    version: int


class Items(BaseModel, Generic[T]):
    """A list that is always whole."""

    items: Sequence[T]


class CatalogAnswer(BaseModel):
    """A product, and whether the account is subscribed to it."""

    model_config = ConfigDict(from_attributes=True)

    product_id: str
    name: str
    summary: str
    subscribed: bool


class CountryAnswer(BaseModel):
    """A country, and what the form may ask for it; null: no phones, no postal codes."""

    model_config = ConfigDict(from_attributes=True)

    code: str
    name: str
    calling_code: str | None
    postal_code_pattern: str | None
    postal_code_example: str | None
    has_states: bool


class StateAnswer(BaseModel):
    """A subdivision; `parent` is the one it lies in, where a country has two levels."""

    model_config = ConfigDict(from_attributes=True)

    code: str
    name: str
    kind: str
    parent: str | None


def app_read(view: AppView) -> AppAnswer:
    return AppAnswer.model_validate(view)


def app_decided(response: Response, decided: Decided[App]) -> AppAnswer:
    """The app after a command, as a read would show it."""
    versioned(response, "registry", decided)
    app = decided.state
    contact = app.contact if isinstance(app.contact, Contact) else Contact("", "", "", None, None)
    return AppAnswer(
        app_id=app.app_id, product_id=app.product_id, name=app.name, email=contact.email, address=contact.address, country=app.country,
        state=app.state, city=contact.city, postal_code=contact.postal_code, phone=contact.phone, status=app.status,
        logo_hash=app.logo_hash, registered_at=app.registered_at, version=decided.version,
    )  # fmt: skip


def domain_read(view: DomainView) -> DomainAnswer:
    return _domain(view.domain, view.proof, view.added_at, view.verified_at)


def domain_decided(response: Response, decided: Decided[App], given: str) -> DomainAnswer:
    """One domain of the app after a command, as a read would show it."""
    versioned(response, "registry", decided)
    domain = domains.named(decided.state, given)
    return _domain(domain.name, domain.proof, domain.added_at, domain.verified_at)


def _domain(name: str, proof: str, added_at: datetime, verified_at: datetime | None) -> DomainAnswer:
    record = TextRecord(name=challenge(name), value=evidence(proof))
    status = "verified" if verified_at else "pending"
    return DomainAnswer(domain=name, status=status, record=record, added_at=added_at, verified_at=verified_at)


def history_read(entry: HistoryEntry) -> HistoryItem:
    return HistoryItem.model_validate(entry)


def subscription_read(view: SubscriptionView) -> SubscriptionAnswer:
    return SubscriptionAnswer(subscription_id=view.subscription_id, product_id=view.product_id, active=view.active, version=view.version)


def subscription_decided(response: Response, decided: Decided[Subscription]) -> SubscriptionAnswer:
    """The subscription after a command, as a read would show it."""
    versioned(response, "registry", decided)
    held = decided.state
    return SubscriptionAnswer(subscription_id=held.subscription_id, product_id=held.product_id, active=held.active, version=decided.version)
