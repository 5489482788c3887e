"""Apps and forms for the tests of registry, and given / when / then over the pure aggregates."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import reduce
from typing import Any

import pytest

from services.registry.domain import app as apps
from services.registry.domain import details
from services.registry.domain.app import App
from services.registry.domain.events import AppDetailsChanged, AppEvent, AppRegistered, Contact
from shared.errors import Invalid
from shared.store.records import Context, Idempotency

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
FORM: dict[str, Any] = {
    "name": "Corner Shop", "email": "shop@example.com", "address": "1 High Street", "country": "US", "state": "US-PA", "city": "Ardmore",
    "postal_code": "19003", "phone": "+12156199900",
}  # fmt: skip
CONTACT = Contact(email="shop@example.com", address="1 High Street", postal_code="19003", city="Ardmore", phone="+12156199900")
REGISTERED = AppRegistered("acc_1", "latchkey-pay", "Corner Shop", "US", "US-PA", CONTACT, NOW)
RENAMED = AppDetailsChanged(("name",), "Corner Store", "US", "US-PA")
Decision = Callable[[App], Sequence[AppEvent]]


@dataclass(frozen=True)
class Given:
    """An app to which these things have happened."""

    app: App

    def when(self, decision: Decision) -> list[AppEvent]:
        """What is decided about it."""
        return list(decision(self.app))


def given(*events: AppEvent) -> Given:
    """The app after these events."""
    return Given(reduce(apps.evolve, events, App("app_1")))


def a_form(**changes: object) -> dict[str, Any]:
    """A form that is right but for these fields; a field that is `...` is left out."""
    return {field: value for field, value in (FORM | changes).items() if value is not ...}


def wrong(**changes: object) -> list[tuple[str, str]]:
    """What is wrong with a form that is right but for these fields."""
    with pytest.raises(Invalid) as refused:
        details.new(a_form(**changes))
    assert all(error.detail for error in refused.value.errors)
    return [(error.pointer, error.code) for error in refused.value.errors]


def registering(**changes: object) -> Decision:
    """The decision to register an app with this form."""
    return lambda app: apps.register(app, owner_id="acc_1", product_id="latchkey-pay", given=a_form(**changes), registered_at=NOW)


def changing(**fields: object) -> Decision:
    """The decision to change these fields."""
    return lambda app: apps.change_details(app, given=fields)


def contact(**changes: str | None) -> Contact:
    """The form's contact data but for these."""
    return replace(CONTACT, **changes)  # type: ignore[arg-type]  # replace cannot know which fields may be None


def context(tenant: str = "acc_1", *, key: str | None = None, expected: int | None = None) -> Context:
    """A command of this account."""
    idempotency = Idempotency(f"POST /v1/apps {tenant}", key, b"body") if key else None
    return Context(tenant, tenant, NOW, "req_1", expected=expected, idempotency=idempotency)


def wide(text: str) -> str:
    """The text in the full-width characters that an East Asian keyboard gives."""
    return "".join(chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char for char in text)
