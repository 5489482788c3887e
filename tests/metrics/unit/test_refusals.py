"""A secret key met in a browser is kept for the owner, within bounds."""

from datetime import UTC, datetime, timedelta
from functools import reduce

from services.metrics.domain.events import RefusalEvent, TransactionRefused
from services.metrics.domain.refusals import MOST, Refusals, evolve, refuse
from services.metrics.domain.transaction import Key

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
KEY = Key("app_1", "live", "kp_1", "ln_1", "acc_1", secret=True)


def refused(origin: str, ago: timedelta = timedelta()) -> TransactionRefused:
    return TransactionRefused("app_1", "live", "kp_1", origin, NOW - ago)


def refusing(*before: RefusalEvent, origin: str = "https://shop.example") -> list[RefusalEvent]:
    return refuse(reduce(evolve, before, Refusals()), key=KEY, origin=origin, now=NOW)


def test_a_secret_key_from_a_browser_is_recorded() -> None:
    """S45."""
    assert refusing() == [refused("https://shop.example")]


def test_the_same_origin_is_recorded_once_a_minute() -> None:
    assert refusing(refused("https://shop.example", timedelta(seconds=59))) == []
    assert refusing(refused("https://shop.example", timedelta(seconds=60))) == [refused("https://shop.example")]
    assert refusing(refused("https://other.example", timedelta(seconds=1))) == [refused("https://shop.example")]


def test_a_flood_of_origins_is_bounded() -> None:
    flood = [refused(f"https://{n}.example", timedelta(minutes=30)) for n in range(MOST)]
    assert refusing(*flood) == []
    old = [refused(f"https://{n}.example", timedelta(minutes=61)) for n in range(MOST)]
    assert refusing(*old) == [refused("https://shop.example")]
