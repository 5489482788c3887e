"""A transaction: what was recorded of it, how its status moved, and what may be decided about it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, assert_never

from services.metrics.domain.errors import PublicKeyLimited, StatusBackwards, TransactionDiffers, TransactionNotFound, time_wrong
from services.metrics.domain.events import TransactionEvent, TransactionRecorded, TransactionStatusChanged
from services.metrics.domain.money import exact, faults
from services.metrics.domain.statuses import Status, may_move
from shared.errors import FieldError, Invalid

EARLIEST: Final = datetime(1990, 1, 1, tzinfo=UTC)
AHEAD: Final = timedelta(minutes=5)  # what a caller's clock may be fast


@dataclass(frozen=True, slots=True)
class Key:
    """The API key that a caller showed: whose app and environment it is, which pair it is of, and whether it is the secret one."""

    app_id: str
    environment: str
    pair_id: str
    lineage_id: str
    tenant: str
    secret: bool


@dataclass(frozen=True, slots=True)
class Details:
    """A transaction as a caller tells of it; `occurred_at` None means now."""

    transaction_id: str
    amount: str
    currency: str
    status: Status
    payment_mode: str | None = None
    payment_gateway: str | None = None
    provider_status: str | None = None
    reference: str | None = None
    occurred_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Transaction:
    """A transaction after some events; `recorded` is None before the first."""

    recorded: TransactionRecorded | None = None
    status: Status = Status.CREATED
    provider_status: str | None = None


def evolve(transaction: Transaction, event: TransactionEvent) -> Transaction:
    match event:
        case TransactionRecorded():
            return Transaction(event, event.status, event.provider_status)
        case TransactionStatusChanged():
            return Transaction(transaction.recorded, event.status, event.provider_status)
        case _:
            assert_never(event)


def record(transaction: Transaction, details: Details, *, key: Key, fingerprint: str, now: datetime) -> list[TransactionEvent]:
    """Record a transaction once; the same fields again are no event, whatever its status has become since."""
    if not key.secret and details.status is not Status.CREATED:
        raise PublicKeyLimited
    if transaction.recorded is not None:
        if transaction.recorded.fingerprint == fingerprint:
            return []
        raise TransactionDiffers
    wrong = meaning_faults(details.amount, details.currency, details.occurred_at, now)
    if wrong:
        raise Invalid(errors=tuple(wrong))
    return [
        TransactionRecorded(
            key.app_id,
            key.environment,
            details.transaction_id,
            key.pair_id,
            key.lineage_id,
            exact(details.amount, details.currency),
            details.currency,
            details.status,
            details.payment_mode,
            details.payment_gateway,
            details.provider_status,
            details.reference,
            (details.occurred_at or now).astimezone(UTC),
            fingerprint,
        )
    ]


def move(transaction: Transaction, *, status: Status, provider_status: str | None) -> list[TransactionEvent]:
    """Move a transaction forward. The same status again is no event, unless the provider's own status says something new."""
    recorded = transaction.recorded
    if recorded is None:
        raise TransactionNotFound
    if status is transaction.status:
        if provider_status in {None, transaction.provider_status}:
            return []
    elif not may_move(transaction.status, status):
        raise StatusBackwards(f"The transaction is {transaction.status}; it cannot become {status}.")
    return [
        TransactionStatusChanged(
            recorded.app_id,
            recorded.environment,
            recorded.transaction_id,
            recorded.pair_id,
            recorded.lineage_id,
            recorded.amount,
            recorded.currency,
            recorded.payment_mode,
            recorded.occurred_at,
            transaction.status,
            status,
            provider_status,
        )
    ]


def meaning_faults(amount: str, currency: str, occurred_at: datetime | None, now: datetime) -> list[FieldError]:
    """What is wrong with a transaction whose fields all have the right shape."""
    wrong = faults(amount, currency)
    if occurred_at is not None and occurred_at < EARLIEST:
        wrong.append(time_wrong("time_too_early", "A transaction cannot have happened before 1990."))
    elif occurred_at is not None and occurred_at > now + AHEAD:
        wrong.append(time_wrong("time_in_future", "A transaction cannot have happened more than five minutes from now."))
    return wrong
