"""One example of every public event, the same in every run, with every field filled in."""

from datetime import UTC, datetime
from typing import Any, Final

from latchkey.envelope import encode, splice
from latchkey.events import PublicEvent

_MOMENT: Final = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
_ACCOUNT: Final = "acc_0003nMTYcRxVt9ZqEWsLpK"
_APP: Final = "app_0003nMTZ0bRjQ2hXyCvUaM"
_RING: Final = "kr_5vTq0mXc2RkZpW8yLhNgBd"
_PAIR: Final = "kp_0003nMTZ7kFsD4wGtYbEoH"
_NEXT_PAIR: Final = "kp_0003nMU1fPzVx6sJmKcQrT"
_STREAM: Final = {"identity.account": _ACCOUNT, "registry.app": _APP, "registry.subscription": "sub_7HcWz3QxNf5kTbRyMvJpLs"}

_VALUES: Final[dict[str, Any]] = {
    "account_id": _ACCOUNT,
    "allowed_ips": ("203.0.113.0/24",),
    "allowed_origins": ("https://shop.example",),
    "amount": "29.90",
    "app_id": _APP,
    "changed": ("name",),
    "country": "DE",
    "currency": "EUR",
    "domain": "shop.example",
    "environment": "live",
    "expires_at": datetime(2027, 11, 23, 12, 0, tzinfo=UTC),
    "generation": 2,
    "lineage_id": _PAIR,
    "logo_hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "name": "Corner Shop",
    "new_pair_id": _NEXT_PAIR,
    "occurred_at": datetime(2026, 11, 23, 11, 59, tzinfo=UTC),
    "old_pair_id": _PAIR,
    "old_valid_until": datetime(2026, 11, 24, 12, 0, tzinfo=UTC),
    "owner_id": _ACCOUNT,
    "pair_id": _PAIR,
    "payment_gateway": "acquirer-1",
    "payment_mode": "card",
    "previous_status": "pending",
    "product_id": "pay",
    "provider_status": "captured",
    "public_key": "lk_pk_live_0000000000000000000000000000000000000000000Example",
    "reason": "requested",
    "reference": "order-1001",
    "registered_at": _MOMENT,
    "ring_id": _RING,
    "scopes": ("transactions:write",),
    "secret_last_four": "x7Qd",
    "session_id": "ses_0003nMTYj5XbHn8vRqWtKe",
    "status": "succeeded",
    "subscription_id": _STREAM["registry.subscription"],
    "transaction_id": "order-1001-1",
}
_OWN: Final[dict[tuple[str, str], Any]] = {
    ("registry.AppRegistered", "status"): "active",
    ("registry.AppRestored", "status"): "active",
    ("keys.KeyringSuspended", "reason"): "app_disabled",
    ("keys.KeyringResumed", "reason"): "app_disabled",
    ("keys.KeyRevoked", "reason"): "leaked",
}


def sample(event: type[PublicEvent]) -> PublicEvent:
    """An event with a plausible value in every field. Raises `KeyError` for a field that has no sample yet: add one above."""
    return event(**{name: _OWN.get((event.event_name, name), _VALUES[name]) for name in event.model_fields})


def sample_envelope(event: type[PublicEvent]) -> bytes:
    """The whole record as it lies on the topic."""
    family = ".".join(event.topic.split(".")[:2])
    stream = {**_STREAM, "keys.keyring": _RING, "metrics.transaction": "tx_2KdYpVn7RbQm4XcWtHsZfJ"}[family]
    frozen = encode(
        sample(event),
        source="/" + family.split(".")[0],
        stream_id=stream,
        streamversion=1,
        time=_MOMENT,
        tenant=_ACCOUNT,
        correlation_id="req_0003nMTYcS2fGk9pLwXvNb",
        causation_id=None,
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    )
    return splice(frozen, 4711)
