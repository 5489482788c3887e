"""Recording transactions and moving their statuses: given what happened, when told, then what is decided."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from functools import reduce

import pytest

from services.metrics.domain.errors import PublicKeyLimited, StatusBackwards, TransactionDiffers, TransactionNotFound
from services.metrics.domain.events import TransactionEvent, TransactionRecorded, TransactionStatusChanged
from services.metrics.domain.statuses import Status
from services.metrics.domain.transaction import Details, Key, Transaction, evolve, move, record
from shared.errors import Invalid

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
SECRET = Key("app_1", "live", "kp_1", "ln_1", "acc_1", secret=True)
PUBLIC = replace(SECRET, secret=False)
DETAILS = Details("order-1", "29.3", "USD", Status.SUCCEEDED, payment_mode="card")
RECORDED = TransactionRecorded(
    "app_1", "live", "order-1", "kp_1", "ln_1", Decimal("29.30"), "USD", Status.SUCCEEDED, "card", None, None, None, NOW, "fp-1"
)


def given(*events: TransactionEvent) -> Transaction:
    return reduce(evolve, events, Transaction())


def recording(transaction: Transaction, details: Details = DETAILS, key: Key = SECRET, fingerprint: str = "fp-1") -> list[TransactionEvent]:
    return record(transaction, details, key=key, fingerprint=fingerprint, now=NOW)


def moving(transaction: Transaction, status: Status, provider_status: str | None = None) -> Sequence[TransactionEvent]:
    return move(transaction, status=status, provider_status=provider_status)


def moved(before: Status, after: Status, provider_status: str | None = None) -> TransactionStatusChanged:
    return TransactionStatusChanged(
        "app_1", "live", "order-1", "kp_1", "ln_1", Decimal("29.30"), "USD", "card", NOW, before, after, provider_status
    )


def test_a_transaction_is_recorded_with_all_decimals_and_the_present_time() -> None:
    assert recording(given()) == [RECORDED]


def test_a_time_of_another_zone_is_kept_in_utc() -> None:
    told = replace(DETAILS, occurred_at=datetime(2026, 11, 23, 1, 30, tzinfo=timezone(timedelta(hours=5, minutes=45))))
    [event] = recording(given(), told)
    assert isinstance(event, TransactionRecorded)
    assert (event.occurred_at, event.occurred_at.tzinfo) == (datetime(2026, 11, 22, 19, 45, tzinfo=UTC), UTC)


def test_the_same_fields_again_are_no_event_whatever_the_status_has_become() -> None:
    assert recording(given(RECORDED)) == []
    assert recording(given(RECORDED, moved(Status.SUCCEEDED, Status.REFUNDED))) == []


def test_other_fields_under_the_same_id_are_refused() -> None:
    with pytest.raises(TransactionDiffers):
        recording(given(RECORDED), fingerprint="fp-2")


def test_all_faults_of_meaning_are_told_at_once() -> None:
    told = replace(DETAILS, amount="1.234", occurred_at=NOW + timedelta(minutes=6))
    with pytest.raises(Invalid) as refused:
        recording(given(), told)
    assert [(error.pointer, error.code) for error in refused.value.errors] == [
        ("/amount", "money_decimals"),
        ("/occurred_at", "time_in_future"),
    ]


@pytest.mark.parametrize("occurred_at", [datetime(1990, 1, 1, tzinfo=UTC), NOW + timedelta(minutes=5)])
def test_the_ends_of_the_allowed_time_are_allowed(occurred_at: datetime) -> None:
    assert len(recording(given(), replace(DETAILS, occurred_at=occurred_at))) == 1


@pytest.mark.parametrize("occurred_at", [datetime(1989, 12, 31, 23, 59, 59, tzinfo=UTC), NOW + timedelta(minutes=5, microseconds=1)])
def test_beyond_the_ends_of_the_allowed_time_is_refused(occurred_at: datetime) -> None:
    with pytest.raises(Invalid):
        recording(given(), replace(DETAILS, occurred_at=occurred_at))


def test_a_public_key_records_created_and_nothing_else() -> None:
    """S44."""
    assert len(recording(given(), replace(DETAILS, status=Status.CREATED), PUBLIC)) == 1
    for status in set(Status) - {Status.CREATED}:
        with pytest.raises(PublicKeyLimited):
            recording(given(), replace(DETAILS, status=status), PUBLIC)


@pytest.mark.parametrize("status", list(Status))
def test_any_status_may_be_the_first_of_a_secret_key(status: Status) -> None:
    assert len(recording(given(), replace(DETAILS, status=status))) == 1


def test_a_status_moves_forward_and_the_event_tells_the_cell() -> None:
    assert moving(given(RECORDED), Status.DISPUTED, "chargeback") == [moved(Status.SUCCEEDED, Status.DISPUTED, "chargeback")]


def test_the_same_status_again_is_no_event() -> None:
    assert moving(given(RECORDED), Status.SUCCEEDED) == []


def test_a_new_status_of_the_provider_is_news() -> None:
    news = moved(Status.SUCCEEDED, Status.SUCCEEDED, "settled")
    assert moving(given(RECORDED), Status.SUCCEEDED, "settled") == [news]
    assert moving(given(RECORDED, news), Status.SUCCEEDED, "settled") == []


def test_backwards_is_refused_and_both_statuses_are_named() -> None:
    with pytest.raises(StatusBackwards, match=r"succeeded.*pending"):
        moving(given(RECORDED), Status.PENDING)


def test_a_transaction_that_was_never_recorded_cannot_move() -> None:
    with pytest.raises(TransactionNotFound):
        moving(given(), Status.SUCCEEDED)
