"""From what queries found to what is answered."""

from collections.abc import Iterable
from decimal import Decimal

from services.metrics.api.schemas import Counted, KeyInBrowser, ListedTransaction, Money, Overview, Point, Series, StatusCount
from services.metrics.domain.periods import Bucket
from services.metrics.domain.statuses import Status
from services.metrics.queries import views
from services.metrics.queries.views import Sum


def overview(app_id: str, zone: str, found: views.Overview) -> Overview:
    """Statuses in the order in which transactions pass through them."""
    by_status = [(status, [one for one in found.sums if one.status == status]) for status in Status]
    return Overview(
        app_id=app_id,
        timezone=zone,
        as_of=found.as_of,
        lag_seconds=found.lag_seconds,
        total=_count(found.sums),
        today=found.today,
        by_status=[StatusCount(status=status, count=_count(sums), amounts=_amounts(sums)) for status, sums in by_status if sums],
        amounts=_amounts(found.sums),
    )


def series(app_id: str, zone: str, bucket: Bucket, points: Iterable[views.Point]) -> Series:
    """Times in UTC, as everywhere."""
    shaped = [
        Point(
            start=point.start,
            count=_count(point.sums),
            amounts=_amounts(point.sums),
            as_reported=None if point.reported is None else Counted(count=_count(point.reported), amounts=_amounts(point.reported)),
        )
        for point in points
    ]
    return Series(app_id=app_id, timezone=zone, bucket=bucket, points=shaped)


def listed(row: views.Listed) -> ListedTransaction:
    """When a transaction happened is what people call its creation date."""
    return ListedTransaction(
        transaction_id=row.transaction_id, environment=row.environment, pair_id=row.pair_id, creation_date=row.occurred_at,
        last_update=row.updated_at, payment_mode=row.payment_mode, payment_gateway=row.payment_gateway, currency=row.currency,
        amount=row.amount, status=row.status, provider_status=row.provider_status, reference=row.reference,
    )  # fmt: skip


def key_in_browser(row: views.Refused) -> KeyInBrowser:
    """A refusal, as its owner sees it."""
    return KeyInBrowser(refused_at=row.refused_at, environment=row.environment, pair_id=row.pair_id, origin=row.origin)


def _count(sums: Iterable[Sum]) -> int:
    return sum(one.count for one in sums)


def _amounts(sums: Iterable[Sum]) -> list[Money]:
    """One amount a currency; different currencies are never added."""
    totals: dict[str, Decimal] = {}
    for one in sums:
        totals[one.currency] = totals.get(one.currency, Decimal(0)) + Decimal(one.amount)
    return [Money(currency=currency, amount=f"{totals[currency]:f}") for currency in sorted(totals)]
