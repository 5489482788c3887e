"""What can happen to a transaction, and to a secret key that turns up in a browser."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from services.metrics.domain.statuses import Status


@dataclass(frozen=True, slots=True)
class TransactionRecorded:
    """A transaction, as its caller told of it. `fingerprint` is an HMAC of the caller's fields as sent."""

    app_id: str
    environment: str
    transaction_id: str
    pair_id: str
    lineage_id: str
    amount: Decimal
    currency: str
    status: Status
    payment_mode: str | None
    payment_gateway: str | None
    provider_status: str | None
    reference: str | None
    occurred_at: datetime
    fingerprint: str


@dataclass(frozen=True, slots=True)
class TransactionStatusChanged:
    """A move from one status to another. It repeats what tells the transaction's cell, so that a roll-up needs nothing but this event."""

    app_id: str
    environment: str
    transaction_id: str
    pair_id: str
    lineage_id: str
    amount: Decimal
    currency: str
    payment_mode: str | None
    occurred_at: datetime
    previous_status: Status
    status: Status
    provider_status: str | None


TransactionEvent = TransactionRecorded | TransactionStatusChanged


@dataclass(frozen=True, slots=True)
class TransactionRefused:
    """A secret key came with a browser's origin: whoever opens that page can read it."""

    app_id: str
    environment: str
    pair_id: str
    origin: str
    refused_at: datetime


RefusalEvent = TransactionRefused

STORED: Final[dict[str, tuple[type[Any], int]]] = {
    "metrics.TransactionRecorded": (TransactionRecorded, 1),
    "metrics.TransactionStatusChanged": (TransactionStatusChanged, 1),
    "metrics.TransactionRefused": (TransactionRefused, 1),
}
