"""Days and hours as people in a time zone see them: the rules for a range of dates, and where the buckets of a series begin."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import StrEnum
from itertools import islice
from typing import Final, assert_never

from services.metrics.domain.errors import (
    DatesIncomplete,
    DatesInFuture,
    DatesReversed,
    DatesTooEarly,
    DatesTooFarApart,
    TooManyPoints,
)
from shared.errors import FieldError

MOST_DAYS: Final = 90
MOST_POINTS: Final = 5_000
QUARTER: Final = timedelta(minutes=15)  # every zone's offset since 1990 is a multiple of it, so a cell never straddles two days
_POSSIBLE: Final = (date(1900, 1, 1), date(9000, 1, 1))  # nothing happens outside, and the calendar has room for every zone around it
_DAY: Final = timedelta(days=1)


class Bucket(StrEnum):
    """How long one point of a series is."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"


@dataclass(frozen=True, slots=True)
class Range:
    """Whole days of a zone, both included."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Span:
    """Instants from `start` up to, not including, `end`."""

    start: datetime
    end: datetime


def dates(first: date | None, last: date | None) -> Range | None:
    """Both dates or none, the first not after the last."""
    if first is None and last is None:
        return None
    if first is None or last is None:
        raise DatesIncomplete(errors=(_fault("to" if last is None else "from", DatesIncomplete.title),))
    if first > last:
        raise DatesReversed(errors=(_fault("from", DatesReversed.title),))
    return Range(_possible(first), _possible(last))


def _possible(day: date) -> date:
    return min(max(day, _POSSIBLE[0]), _POSSIBLE[1])


def bounded(chosen: Range, *, today: date, earliest: date) -> Range:
    """The rules of S39 for lists and files: at most 90 days apart, not before `earliest`, not after today."""
    if chosen.last > today or chosen.first > today:
        raise DatesInFuture(errors=(_fault("to", DatesInFuture.title),))
    if chosen.last - chosen.first > timedelta(days=MOST_DAYS):
        raise DatesTooFarApart(errors=(_fault("from", DatesTooFarApart.title),))
    if chosen.first < earliest:
        raise DatesTooEarly(f"The first date that can be asked for is {earliest}.", errors=(_fault("from", DatesTooEarly.title),))
    return chosen


def day_of(moment: datetime, zone: tzinfo) -> date:
    """The date on the wall of a zone."""
    return moment.astimezone(zone).date()


def midnight(day: date, zone: tzinfo) -> datetime:
    """The first instant of a day, in UTC; where the clocks skip midnight, the instant at which they do."""
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)


def nearest_day(moment: datetime) -> datetime:
    """The beginning of the day of UTC that is nearest to a moment in UTC."""
    return (moment + _DAY / 2).replace(hour=0, minute=0, second=0, microsecond=0)


def span(chosen: Range, zone: tzinfo) -> Span:
    """The instants of whole days: 23 or 25 hours long where the clocks change."""
    return Span(midnight(chosen.first, zone), midnight(chosen.last + _DAY, zone))


def starts(chosen: Range, bucket: Bucket, zone: tzinfo) -> list[datetime]:
    """Where the points of a series begin, in UTC; the first may begin before the range does, when weeks are asked for."""
    found = list(islice(_starts(chosen, bucket, zone), MOST_POINTS + 1))
    if len(found) > MOST_POINTS:
        raise TooManyPoints
    return found


def _starts(chosen: Range, bucket: Bucket, zone: tzinfo) -> Iterator[datetime]:
    match bucket:
        case Bucket.HOUR:
            yield from _hours(span(chosen, zone), zone)
        case Bucket.DAY:
            yield from _days(chosen.first, chosen.last, _DAY, zone)
        case Bucket.WEEK:
            monday = chosen.first - timedelta(days=chosen.first.weekday())
            yield from _days(monday, chosen.last, 7 * _DAY, zone)
        case _:
            assert_never(bucket)


def _days(first: date, last: date, step: timedelta, zone: tzinfo) -> Iterator[datetime]:
    day = first
    while day <= last:
        yield midnight(day, zone)
        day += step


def _hours(whole: Span, zone: tzinfo) -> Iterator[datetime]:
    """Every instant at which a clock on the wall shows a full hour; a change of half an hour makes one hour shorter or longer."""
    at = whole.start
    yield at
    while (at := at + QUARTER) < whole.end:
        if at.astimezone(zone).minute == 0:
            yield at


def _fault(parameter: str, detail: str) -> FieldError:
    return FieldError(parameter, "dates", detail)
