"""The shapes of metrics' API."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from latchkey.keyformat import Environment
from pydantic import AwareDatetime, BaseModel, Field, GetPydanticSchema
from pydantic_core import core_schema

from services.metrics.domain.periods import Bucket
from services.metrics.domain.statuses import Status
from services.metrics.domain.transaction import Details
from shared.http.schemas import Body, FieldProblem

MOST_IN_BATCH: Final = 1_000
_NOT_PERSONAL: Final = "Must not be personal data: it is published and kept for ever."
_SHOWN: Final = r"[^\x00-\x1f\x7f-\x9f\u2028\u2029]"
# A first character that no spreadsheet takes for a formula, and none that cannot be shown.
Label = Annotated[str, Field(min_length=1, max_length=64, pattern=rf"^[^\W_]{_SHOWN}*$")]
Amount = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{1,15}(\.[0-9]{1,4})?$", description="at most the decimals of its currency, 15 digits in all", examples=["29.33"]
    ),
]
Currency = Annotated[str, Field(pattern="^[A-Z]{3}$", description="ISO 4217", examples=["USD"])]


class NewTransaction(Body):
    """A transaction. Sent again with the same fields it has no effect; with other fields it is refused."""

    transaction_id: Annotated[str, Field(max_length=128, pattern=r"^[A-Za-z0-9][!-~]*$", description=f"Your own id. {_NOT_PERSONAL}")]
    amount: Amount
    currency: Currency
    status: Status
    payment_mode: Label | None = None
    payment_gateway: Label | None = None
    provider_status: Label | None = None
    occurred_at: AwareDatetime | None = Field(None, description="from 1990 to five minutes from now; now when left out")
    reference: Annotated[str, Field(min_length=1, max_length=256, pattern=rf"^{_SHOWN}+$", description=_NOT_PERSONAL)] | None = None

    def details(self) -> Details:
        """What it means to the domain."""
        return Details(
            self.transaction_id, self.amount, self.currency, self.status, self.payment_mode, self.payment_gateway,
            self.provider_status, self.reference, self.occurred_at,
        )  # fmt: skip


class NewTransactions(Body):
    """A batch: each transaction is recorded or refused for itself."""

    transactions: Annotated[tuple[NewTransaction, ...], Field(min_length=1, max_length=MOST_IN_BATCH)]


def _documented(_source: object, handler: Any) -> core_schema.CoreSchema:
    return core_schema.no_info_wrap_validator_function(
        lambda value, _inner: value, handler.generate_schema(NewTransaction | NewTransactions)
    )


AsSent = Annotated[Mapping[str, Any], GetPydanticSchema(_documented)]
"""Documented as one transaction or a batch, and handed on as it was sent: a batch is judged item by item."""


class Move(Body):
    """Where a transaction stands now."""

    status: Status
    provider_status: Label | None = None


class Transaction(BaseModel):
    """A transaction. A public key is answered what it sent, never what became of it."""

    transaction_id: str
    code: Literal["recorded", "unchanged", "moved"]
    app_id: str
    environment: Environment
    pair_id: str
    amount: str
    currency: str
    status: Status
    payment_mode: str | None
    payment_gateway: str | None
    provider_status: str | None
    reference: str | None
    occurred_at: datetime


class Result(BaseModel):
    """What became of one item of a batch: `status` is the HTTP status that it would have had alone."""

    transaction_id: str | None
    code: str = Field(description="recorded, unchanged, or the code of the problem")
    status: int
    detail: str | None = None
    errors: list[FieldProblem] | None = None


class Results(BaseModel):
    """In the order in which they were sent."""

    results: list[Result]


class Money(BaseModel):
    """An exact amount; currencies are never added together."""

    currency: str
    amount: str


class StatusCount(BaseModel):
    """How many transactions stand there, and their amounts."""

    status: Status
    count: int
    amounts: list[Money]


class Overview(BaseModel):
    """Counts and amounts of what the filters leave; `today` counts today's in the time zone, whatever the dates say."""

    app_id: str
    timezone: str
    as_of: datetime
    lag_seconds: float
    total: int
    today: int
    by_status: list[StatusCount]
    amounts: list[Money]


class Counted(BaseModel):
    """A count and its amounts."""

    count: int
    amounts: list[Money]


class Point(Counted):
    """A bucket of a series, as corrected by everything that arrived since."""

    start: datetime
    as_reported: Counted | None = Field(None, description="For closed days of UTC: what was known when the day ended")


class Series(BaseModel):
    """Points without a gap."""

    app_id: str
    timezone: str
    bucket: Bucket
    points: list[Point]


class ListedTransaction(BaseModel):
    """A row of the list."""

    transaction_id: str
    environment: Environment
    pair_id: str
    creation_date: datetime
    last_update: datetime
    payment_mode: str | None
    payment_gateway: str | None
    currency: str
    amount: str
    status: Status
    provider_status: str | None
    reference: str | None


class KeyInBrowser(BaseModel):
    """A secret key that was refused because a browser sent it."""

    refused_at: datetime
    environment: Environment
    pair_id: str
    origin: str
