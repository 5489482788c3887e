"""Signing in, locks that grow, and new passwords."""

import pytest

from services.identity.domain import access
from services.identity.domain.errors import AccountUnverified, CodeRefused, PasswordTooWeak, PasswordWrong, SignInRefused
from services.identity.domain.events import (
    AccountErased,
    AccountEvent,
    AccountLocked,
    AccountUnlocked,
    AccountVerified,
    PasswordChanged,
    PasswordResetRefused,
    PasswordResetRequested,
    SessionsRevoked,
    SignInFailed,
    SignInFailuresCleared,
)
from tests.identity.builders import ACTIVE, NOW, RIGHT, UNVERIFIED, WRONG, at, given

FOUR = [SignInFailed()] * 4
LOCKED: tuple[AccountEvent, ...] = (*ACTIVE, *FOUR, SignInFailed(), AccountLocked(at(minutes=1)))
ASKED = PasswordResetRequested(RIGHT, NOW, at(minutes=10))


def test_a_first_sign_in_needs_no_event_of_the_account() -> None:
    assert given(*ACTIVE).when(access.admit, now=NOW) == []


def test_signing_in_forgets_failures() -> None:
    assert given(*ACTIVE, *FOUR).when(access.admit, now=NOW) == [SignInFailuresCleared()]
    assert given(*ACTIVE, *FOUR, SignInFailuresCleared()).state.failures == 0


def test_the_fifth_failure_locks_for_a_minute() -> None:
    assert given(*ACTIVE).when(access.reject, now=NOW) == [SignInFailed()]
    assert given(*ACTIVE, *FOUR).when(access.reject, now=NOW) == [SignInFailed(), AccountLocked(at(minutes=1))]


def test_locks_grow_from_one_minute_to_an_hour() -> None:
    history, now, minutes = list(ACTIVE), NOW, []
    for _ in range(9):
        for _ in range(5):
            history += given(*history).when(access.reject, now=now)
        until = given(*history).state.locked_until
        assert until is not None
        minutes.append((until - now).total_seconds() / 60)
        now = until
    assert minutes == [1, 2, 4, 8, 16, 32, 60, 60, 60]


def test_while_locked_the_right_password_is_refused_and_nothing_is_written() -> None:
    with pytest.raises(SignInRefused):
        given(*LOCKED).when(access.admit, now=at(seconds=59))
    assert given(*LOCKED).when(access.reject, now=at(seconds=59)) == []


def test_the_first_try_after_a_lock_unlocks() -> None:
    assert given(*LOCKED).when(access.admit, now=at(minutes=1)) == [AccountUnlocked(), SignInFailuresCleared()]
    assert given(*LOCKED).when(access.reject, now=at(minutes=1)) == [AccountUnlocked(), SignInFailed()]


def test_after_signing_in_the_next_lock_is_the_shortest_again() -> None:
    cleared = (*LOCKED, AccountUnlocked(), SignInFailuresCleared(), *FOUR)
    assert given(*cleared).when(access.reject, now=at(hours=1))[-1] == AccountLocked(at(hours=1, minutes=1))


def test_an_unverified_account_is_told_so_only_with_the_right_password() -> None:
    with pytest.raises(AccountUnverified):
        given(*UNVERIFIED).when(access.admit, now=NOW)
    assert given(*UNVERIFIED).when(access.reject, now=NOW) == [SignInFailed()]


@pytest.mark.parametrize("history", [(), (*ACTIVE, AccountErased(NOW))], ids=["unknown", "erased"])
def test_nobody_signs_in_to_what_is_not_there(history: tuple[AccountEvent, ...]) -> None:
    with pytest.raises(SignInRefused):
        given(*history).when(access.admit, now=NOW)
    assert given(*history).when(access.reject, now=NOW) == []


def test_a_reset_is_asked_for_ten_times_a_day() -> None:
    assert given(*ACTIVE).when(access.request_reset, code_digest=RIGHT, now=NOW) == [ASKED]
    assert given(*ACTIVE, *[ASKED] * 9).when(access.request_reset, code_digest=RIGHT, now=NOW) == []
    assert given().when(access.request_reset, code_digest=RIGHT, now=NOW) == []


def test_a_reset_changes_the_password_and_signs_out_everywhere() -> None:
    assert given(*ACTIVE, ASKED).when(access.reset_password, code_digest=RIGHT, password_hash="new", now=NOW) == [
        PasswordChanged("new"),
        SessionsRevoked(generation=2),
    ]


def test_a_reset_ends_a_lock_and_proves_the_address() -> None:
    unlocked = given(*LOCKED, ASKED).when(access.reset_password, code_digest=RIGHT, password_hash="new", now=NOW)
    assert unlocked[:2] == [AccountUnlocked(), SignInFailuresCleared()]
    proven = given(*UNVERIFIED, ASKED).when(access.reset_password, code_digest=RIGHT, password_hash="new", now=NOW)
    assert proven[0] == AccountVerified(NOW)


def test_a_wrong_reset_code_is_counted_five_times() -> None:
    wrong = {"code_digest": WRONG, "password_hash": "new", "now": NOW}
    assert given(*ACTIVE, ASKED).when(access.reset_password, **wrong) == [PasswordResetRefused()]
    with pytest.raises(CodeRefused):
        given(*ACTIVE, ASKED, *[PasswordResetRefused()] * 5).when(access.reset_password, code_digest=RIGHT, password_hash="n", now=NOW)


def test_a_reset_code_is_single_use_and_ends_after_ten_minutes() -> None:
    for history in ((*ACTIVE, ASKED, PasswordChanged("new")), ACTIVE):
        with pytest.raises(CodeRefused):
            given(*history).when(access.reset_password, code_digest=RIGHT, password_hash="newer", now=NOW)
    with pytest.raises(CodeRefused):
        given(*ACTIVE, ASKED).when(access.reset_password, code_digest=RIGHT, password_hash="new", now=at(minutes=10))


def test_changing_the_password_signs_out_everywhere_but_not_while_locked() -> None:
    change = {"checked": "hash", "password_hash": "new", "now": NOW}
    assert given(*ACTIVE).when(access.change_password, **change) == [PasswordChanged("new"), SessionsRevoked(generation=2)]
    with pytest.raises(PasswordWrong):
        given(*LOCKED).when(access.change_password, **change)


def test_the_password_that_was_checked_is_the_one_that_is_replaced() -> None:
    with pytest.raises(PasswordWrong):
        given(*ACTIVE, PasswordChanged("newer")).when(access.change_password, checked="hash", password_hash="thief's", now=NOW)


def test_a_guessable_password_is_refused_at_its_field() -> None:
    access.require_strong(3, "/password", "")
    with pytest.raises(PasswordTooWeak) as refused:
        access.require_strong(2, "/password", "Add another word.")
    assert [(error.pointer, error.detail) for error in refused.value.errors] == [("/password", "Add another word.")]
