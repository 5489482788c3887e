"""What metrics publishes about the transactions of an app. Amounts are exact decimal text, never binary fractions."""

from typing import Annotated, ClassVar

from pydantic import Field

from latchkey.events.public import AppId, Environment, Instant, PublicEvent, open_enum
from latchkey.topics import METRICS_TRANSACTION_EVENTS

Amount = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{1,15}(\.[0-9]{1,4})?$",
        description="decimal text in the currency's main unit, with the decimals of its ISO 4217 exponent",
    ),
]
Currency = Annotated[str, Field(description="ISO 4217 code, three letters")]
OccurredAt = Annotated[Instant, Field(description="RFC 3339, in UTC: when the payment happened, as the caller says")]
Status = Annotated[
    str,
    open_enum(
        *("created", "pending", "authorized", "succeeded", "failed", "cancelled", "refunded", "partially_refunded", "disputed"),
        meaning="where the payment stands",
    ),
]


class TransactionEvent(PublicEvent):
    """An event of one transaction of an app and environment; the stream is derived from those and the caller's own id."""

    topic: ClassVar[str] = METRICS_TRANSACTION_EVENTS

    app_id: AppId
    environment: Environment
    transaction_id: Annotated[str, Field(description="the id the caller gave it")]
    pair_id: Annotated[str, Field(description="the pair whose key recorded it")]
    lineage_id: Annotated[str, Field(description="the pair's lineage, the same across rotations")]
    amount: Amount
    currency: Currency
    status: Status
    provider_status: Annotated[str | None, Field(description="what the payment provider calls the status")] = None


class TransactionRecorded(TransactionEvent):
    """A transaction was recorded; it is counted once, however often it was sent."""

    event_name: ClassVar[str] = "metrics.TransactionRecorded"

    payment_mode: Annotated[str | None, Field(description="how it was paid, such as `card`, in the caller's words")] = None
    payment_gateway: Annotated[str | None, Field(description="through whom it was paid, in the caller's words")] = None
    reference: Annotated[str | None, Field(description="the caller's own reference; no personal data")] = None
    occurred_at: OccurredAt


class TransactionStatusChanged(TransactionEvent):
    """A transaction moved from `previous_status` to `status`; its amount and time are what they were."""

    event_name: ClassVar[str] = "metrics.TransactionStatusChanged"

    previous_status: Annotated[Status, Field(description="where the payment stood before")]
    occurred_at: OccurredAt
