"""Days: the rules of S39, and buckets that stay right where clocks change."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.metrics.domain.errors import (
    DatesIncomplete,
    DatesInFuture,
    DatesReversed,
    DatesTooEarly,
    DatesTooFarApart,
    TooManyPoints,
)
from services.metrics.domain.periods import QUARTER, Bucket, Range, bounded, dates, day_of, span, starts
from shared.errors import Invalid

TODAY = date(2026, 11, 23)
BERLIN, HAVANA, SAO_PAULO, LORD_HOWE = (
    ZoneInfo(name) for name in ("Europe/Berlin", "America/Havana", "America/Sao_Paulo", "Australia/Lord_Howe")
)
ZONES = st.sampled_from(sorted(available_timezones() - {"localtime"})).map(ZoneInfo)
DAYS = st.dates(date(1990, 1, 2), date(2037, 1, 1))


def test_both_dates_or_none() -> None:
    """S39."""
    assert dates(None, None) is None
    for first, last in ((TODAY, None), (None, TODAY)):
        with pytest.raises(DatesIncomplete):
            dates(first, last)


def test_the_first_date_is_not_after_the_second() -> None:
    """S39."""
    assert dates(TODAY, TODAY) == Range(TODAY, TODAY)
    with pytest.raises(DatesReversed):
        dates(TODAY, TODAY - timedelta(days=1))


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_the_ends_of_the_calendar_are_dates_in_every_zone(zone: str) -> None:
    for first, last in ((date.min, date.max), (date.min, date.min), (date.max, date.max)):
        chosen = dates(first, last)
        assert chosen is not None
        assert span(chosen, ZoneInfo(zone)).start < span(chosen, ZoneInfo(zone)).end
        assert starts(Range(chosen.first, min(chosen.last, chosen.first)), Bucket.WEEK, ZoneInfo(zone))


@pytest.mark.parametrize(
    ("first", "last", "refusal"),
    [
        (TODAY - timedelta(days=90), TODAY, None),
        (TODAY - timedelta(days=91), TODAY, DatesTooFarApart),
        (TODAY, TODAY + timedelta(days=1), DatesInFuture),
        (TODAY + timedelta(days=1), TODAY + timedelta(days=2), DatesInFuture),
        (date(2026, 8, 1), date(2026, 8, 2), None),
        (date(2026, 7, 31), date(2026, 8, 2), DatesTooEarly),
    ],
)
def test_lists_and_files_are_bounded(first: date, last: date, refusal: type[Invalid] | None) -> None:
    """S39: each refusal has its own code and its own message."""
    if refusal is None:
        assert bounded(Range(first, last), today=TODAY, earliest=date(2026, 8, 1)) == Range(first, last)
    else:
        with pytest.raises(refusal):
            bounded(Range(first, last), today=TODAY, earliest=date(2026, 8, 1))


def test_every_refusal_of_dates_has_its_own_code_and_title() -> None:
    refusals = [DatesIncomplete, DatesReversed, DatesTooFarApart, DatesTooEarly, DatesInFuture]
    assert len({refusal.code for refusal in refusals}) == len({refusal.title for refusal in refusals}) == len(refusals)


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        (BERLIN, date(2026, 3, 29), 23),
        (BERLIN, date(2026, 10, 25), 25),
        (BERLIN, date(2026, 11, 23), 24),
        (HAVANA, date(2026, 11, 1), 25),  # at 01:00 the clocks show midnight again
        (SAO_PAULO, date(2017, 10, 15), 23),  # there was no midnight
        (SAO_PAULO, date(2018, 2, 17), 25),
        (LORD_HOWE, date(2026, 4, 5), 24.5),
    ],
)
def test_a_day_is_as_long_as_the_clocks_make_it(zone: ZoneInfo, day: date, hours: float) -> None:
    """S40."""
    found = span(Range(day, day), zone)
    assert found.end - found.start == timedelta(hours=hours)
    assert day_of(found.start, zone) == day_of(found.end - timedelta(microseconds=1), zone) == day
    assert day_of(found.start - timedelta(microseconds=1), zone) == day - timedelta(days=1)


def test_the_hour_that_comes_twice_is_two_points() -> None:
    hours = starts(Range(date(2026, 10, 25), date(2026, 10, 25)), Bucket.HOUR, BERLIN)
    assert [hour.astimezone(BERLIN).hour for hour in hours] == [0, 1, 2, 2, *range(3, 24)]


def test_the_hour_that_is_left_out_is_no_point() -> None:
    hours = starts(Range(date(2026, 3, 29), date(2026, 3, 29)), Bucket.HOUR, BERLIN)
    assert [hour.astimezone(BERLIN).hour for hour in hours] == [0, 1, *range(3, 24)]


def test_hours_begin_where_the_wall_clock_says() -> None:
    kathmandu = ZoneInfo("Asia/Kathmandu")
    hours = starts(Range(TODAY, TODAY), Bucket.HOUR, kathmandu)
    assert (len(hours), hours[0]) == (24, datetime(2026, 11, 22, 18, 15, tzinfo=UTC))
    assert all(hour.astimezone(kathmandu).minute == 0 for hour in hours)


def test_weeks_begin_on_monday() -> None:
    weeks = starts(Range(date(2026, 11, 18), date(2026, 11, 23)), Bucket.WEEK, BERLIN)
    assert [day_of(week, BERLIN) for week in weeks] == [date(2026, 11, 16), date(2026, 11, 23)]


def test_a_series_has_an_end() -> None:
    assert len(starts(Range(date(2026, 1, 1), TODAY), Bucket.DAY, BERLIN)) == 327
    with pytest.raises(TooManyPoints):
        starts(Range(date(1990, 1, 1), TODAY), Bucket.HOUR, BERLIN)


@settings(max_examples=30)
@given(ZONES, DAYS)
def test_a_day_of_every_zone_is_made_of_whole_cells(zone: ZoneInfo, day: date) -> None:
    found = span(Range(day, day), zone)
    for edge in (found.start, found.end):
        assert (edge - datetime(1990, 1, 1, tzinfo=UTC)) % QUARTER == timedelta()


@settings(max_examples=30)
@given(ZONES, DAYS, st.sampled_from(list(Bucket)))
def test_points_follow_one_another_and_cover_the_days(zone: ZoneInfo, day: date, bucket: Bucket) -> None:
    chosen = Range(day, day + timedelta(days=3))
    found = starts(chosen, bucket, zone)
    whole = span(chosen, zone)
    assert found == sorted(set(found))
    assert found[0] <= whole.start
    assert found[-1] < whole.end
