"""The demo's real input: 6,919 purchases of the CDNOW sample, as transactions, with the sums that the service must come to."""

import csv
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

SAMPLE: Final = Path(__file__).parent / "cdnow-sample.csv"
CURRENCY: Final = "USD"
NOON: Final = time(12, tzinfo=UTC)


@dataclass(frozen=True)
class Purchase:
    """One line of the file, with its date shifted."""

    line: int
    day: date
    amount: str
    status: str

    def body(self) -> dict[str, Any]:
        """The transaction as a shop's server sends it."""
        return {
            "transaction_id": f"cdnow-{self.line}",
            "amount": self.amount,
            "currency": CURRENCY,
            "status": self.status,
            "payment_mode": "card",
            "payment_gateway": "demo",
            "occurred_at": datetime.combine(self.day, NOON).isoformat(),
        }


def status_of(line: int) -> str:
    """Of each hundred lines two failed and one was refunded: the sample itself does not say, so this is made up, and always the same."""
    return {7: "failed", 57: "failed", 33: "refunded"}.get(line % 100, "succeeded")


def read(last_day: date) -> list[Purchase]:
    """All purchases in the file's order; dates are moved together so that the last one falls on `last_day`."""
    with SAMPLE.open(newline="") as file:
        rows = list(csv.DictReader(file))
    shift = last_day - max(date.fromisoformat(row["date"]) for row in rows)
    return [Purchase(line, date.fromisoformat(row["date"]) + shift, row["amount_usd"], status_of(line)) for line, row in enumerate(rows, 2)]


@dataclass(frozen=True)
class Sums:
    """How many and how much, by status."""

    counts: Counter[str]
    amounts: dict[str, Decimal]

    @property
    def count(self) -> int:
        """All of them."""
        return self.counts.total()

    @property
    def amount(self) -> Decimal:
        """All amounts together; the sample has one currency."""
        return sum(self.amounts.values(), Decimal(0))


def sums(purchases: Iterable[Purchase]) -> Sums:
    """What the file says, counted here and not by the service."""
    counts, amounts = Counter[str](), defaultdict[str, Decimal](Decimal)
    for purchase in purchases:
        counts[purchase.status] += 1
        amounts[purchase.status] += Decimal(purchase.amount)
    return Sums(counts, dict(amounts))


def batches(purchases: Sequence[Purchase], size: int) -> Iterator[Sequence[Purchase]]:
    """The purchases in pieces of `size`."""
    for start in range(0, len(purchases), size):
        yield purchases[start : start + size]


def windows(first: date, last: date, days: int) -> Iterator[tuple[date, date]]:
    """The days from `first` to `last`, both included, in windows of at most `days` days."""
    while first <= last:
        end = min(first + timedelta(days=days - 1), last)
        yield first, end
        first = end + timedelta(days=1)
