"""What metrics publishes about the transactions of an app. Amounts are exact decimal text, never binary fractions."""

from typing import Annotated, ClassVar

from pydantic import Field

from latchkey.events.public import AppId, Environment, Instant, PublicEvent, open_enum
from latchkey.topics import METRICS_TRANSACTION_EVENTS

Amount = Annotated[str, Field(pattern=r"^[0-9]{1,15}(\.[0-9]{1,4})?$", description="decimal text with the currency's exponent")]
Currency = Annotated[str, Field(description="ISO 4217")]
Status = Annotated[
    str,
    open_enum("created", "pending", "authorized", "succeeded", "failed", "cancelled", "refunded", "partially_refunded", "disputed"),
]


class TransactionEvent(PublicEvent):
    """An event of one transaction of an app and environment; the stream is derived from those and the caller's own id."""

    topic: ClassVar[str] = METRICS_TRANSACTION_EVENTS

    app_id: AppId
    environment: Environment
    transaction_id: Annotated[str, Field(description="the id the caller gave it")]
    pair_id: Annotated[str, Field(description="the pair whose key recorded it")]
    lineage_id: str
    amount: Amount
    currency: Currency
    status: Status
    provider_status: str | None = None


class TransactionRecorded(TransactionEvent):
    """A transaction was recorded; it is counted once, however often it was sent."""

    event_name: ClassVar[str] = "metrics.TransactionRecorded"

    payment_mode: str | None = None
    payment_gateway: str | None = None
    reference: str | None = None
    occurred_at: Instant


class TransactionStatusChanged(TransactionEvent):
    """A transaction moved from `previous_status` to `status`; its amount and time are what they were."""

    event_name: ClassVar[str] = "metrics.TransactionStatusChanged"

    previous_status: Status
    occurred_at: Instant
