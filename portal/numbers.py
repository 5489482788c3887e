"""The numbers of an app's overview, gathered from metrics at once; what cannot be had is named, not guessed."""

import asyncio
import csv
import io
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Self, TypeVar

from portal.apis.calls import Away, Refused, attempt
from portal.apis.metrics import Metrics, Overview, Series, StatusCount
from portal.filters import Filters, bucket_of

UNHEARD: Final = "metrics.app_not_found"
TOO_MANY: Final = "metrics.too_many_points"
T = TypeVar("T")
_NOT_YET: Final = "The numbers of this app are not there yet. They come within seconds of its registration."
_WRONG: Final = "Correct the dates to see the numbers."


async def heard(call: Awaitable[T]) -> T | Away:
    """As `attempt`, and away too while metrics has not heard of an app: it has within seconds, and meanwhile the rest of a page stands."""
    try:
        return await attempt(call)
    except Refused as refused:
        if refused.code != UNHEARD:
            raise
        return Away("metrics", _NOT_YET)


@dataclass(frozen=True, slots=True)
class Numbers:
    """`ever` counts all transactions, whatever the filters say; `errors` holds a sentence for each date that metrics refused, by field."""

    overview: Overview | Away
    series: Series | Away
    ever: int = 0
    errors: Mapping[str, str] = field(default_factory=dict)

    @property
    def state(self) -> str:
        """What there is to show: `wrong` dates; `away`; `empty`, no transaction at all; `none` that the filters leave; `some`."""
        if isinstance(self.overview, Away):
            return "wrong" if self.errors else "away"
        return "some" if self.overview.total else "none" if self.ever else "empty"

    @property
    def succeeded(self) -> StatusCount | None:
        """What was paid."""
        if isinstance(self.overview, Away):
            return None
        return next((one for one in self.overview.by_status if one.status == "succeeded"), None)

    @classmethod
    async def gather(cls, metrics: Metrics, app_id: str, filters: Filters, now: datetime) -> Self:
        """Ask for everything at the same time. Raises Refused for what is no matter of dates."""
        if filters.wrong:
            return cls._without(filters.wrong)
        asked = filters.asked(now)
        try:
            overview, series, ever = await asyncio.gather(
                heard(metrics.overview(app_id, asked)),
                heard(_series(metrics, app_id, asked, filters.days(now))),
                heard(_ever(metrics, app_id, filters)),
            )
        except Refused as refused:
            errors = dates_refused(refused)
            if not errors:
                raise
            return cls._without(errors)
        total = 0 if isinstance(overview, Away) else overview.total
        return cls(overview, series, ever if isinstance(ever, int) else total)

    @classmethod
    def _without(cls, errors: Mapping[str, str]) -> Self:
        wrong = Away("metrics", _WRONG)
        return cls(wrong, wrong, errors=errors)


def dates_refused(refused: Refused) -> dict[str, str]:
    """The sentence for each date that metrics would not take, by the name of its field."""
    title, detail = refused.problem.title, refused.problem.detail
    sentence = title if detail in {"", title} else f"{title} {detail}"
    return {field: sentence for error in refused.problem.errors if (field := error.pointer.strip("/")) in {"from", "to"}}


def table(series: Series, filters: Filters) -> str:
    """The points of a series as CSV, its times in the zone of the filters; one column of amounts for each currency."""
    currencies = sorted({money.currency for point in series.points for money in point.amounts})
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(
        [f"{series.bucket.capitalize()} from ({filters.zone})", "Transactions", *(f"Amount {currency}" for currency in currencies)]
    )
    for point in series.points:
        amounts = {money.currency: money.amount for money in point.amounts}
        rows.writerow([point.start.astimezone(filters.tzinfo).isoformat(), point.count, *(amounts.get(each, "0") for each in currencies)])
    return out.getvalue()


async def _series(metrics: Metrics, app_id: str, asked: Mapping[str, str], days: int | None) -> Series:
    """By hours, days or weeks, as the span wants it; without dates the days are asked for first, to see how many there are: more than
    metrics would send when a shop brought its old transactions."""
    try:
        first = await metrics.series(app_id, asked, bucket_of(days) if days else "day")
    except Refused as refused:
        if days or refused.code != TOO_MANY:
            raise
        return await metrics.series(app_id, asked, "week")
    fitting = bucket_of(days or len(first.points))
    return first if first.bucket == fitting else await metrics.series(app_id, asked, fitting)


async def _ever(metrics: Metrics, app_id: str, filters: Filters) -> int | None:
    """How many transactions there are in all; None when the filters leave everything, so that the overview itself says it."""
    return (await metrics.overview(app_id, {"tz": filters.zone})).total if filters.narrowed else None
