"""Filters from a URL and back, and what the API is asked for."""

from datetime import UTC, datetime

import pytest

from portal.filters import Filters, bucket_of

LATE = datetime(2026, 3, 10, 23, 30, tzinfo=UTC)


def test_a_preset_ends_today_in_the_zone_of_the_page() -> None:
    assert Filters.read({"range": "7d"}, "UTC").asked(LATE) == {"tz": "UTC", "from": "2026-03-04", "to": "2026-03-10"}
    assert Filters.read({"range": "today"}, "Asia/Tokyo").asked(LATE) == {"tz": "Asia/Tokyo", "from": "2026-03-11", "to": "2026-03-11"}


def test_dates_typed_by_hand_win_over_a_preset() -> None:
    typed = Filters.read({"range": "7d", "from": "2026-01-01", "to": "2026-01-31"}, "UTC")
    assert typed.asked(LATE) == {"tz": "UTC", "from": "2026-01-01", "to": "2026-01-31"}
    assert typed.days(LATE) == 31


@pytest.mark.parametrize("text", ["31.1.2026", "2026-02-30", "20260131", "2026-W05-1", "<script>"])
def test_what_is_no_date_is_said_at_its_field_and_kept(text: str) -> None:
    wrong = Filters.read({"from": text, "to": "2026-01-31"}, "UTC")
    assert list(wrong.wrong) == ["from"]
    assert wrong.first == text
    assert wrong.days(LATE) is None


def test_what_is_no_filter_is_left_aside() -> None:
    read = Filters.read({"status": "nonsense", "environment": "moon", "tz": "Mars/Base", "range": "1y", "other": "x"}, "Europe/Berlin")
    assert read == Filters("Europe/Berlin")
    assert not read.narrowed


def test_a_link_keeps_all_filters_but_those_it_changes() -> None:
    read = Filters.read({"range": "30d", "status": "failed", "currency": "usd"}, "UTC")
    assert read.url("/x") == "/x?tz=UTC&range=30d&status=failed&currency=USD"
    assert read.url("/x", status="", cursor="c") == "/x?tz=UTC&range=30d&currency=USD&cursor=c"


@pytest.mark.parametrize(("days", "bucket"), [(1, "hour"), (2, "hour"), (3, "day"), (120, "day"), (121, "week")])
def test_a_point_of_the_chart_is_as_long_as_the_span_wants(days: int, bucket: str) -> None:
    assert bucket_of(days) == bucket
