"""Registering and proving an address."""

import pytest

from services.identity.domain import account
from services.identity.domain.errors import AccountGone, CodeRefused
from services.identity.domain.events import (
    AccountErased,
    AccountEvent,
    AccountRegistered,
    AccountVerified,
    PasswordChanged,
    PasswordResetRequested,
    PasswordWithdrawn,
    ProfileChanged,
    SessionsRevoked,
    VerificationCodeRefused,
    VerificationCodeSent,
)
from shared.personal import ERASED
from tests.identity.builders import ACTIVE, NOW, REGISTERED, RIGHT, UNVERIFIED, WRONG, at, code_sent, given

FORM = {
    "email": "ann@example.com",
    "email_digest": "email-digest",
    "name": "Ann",
    "password_hash": "hash",
    "same_as": None,
    "code_digest": RIGHT,
}


def test_a_free_address_is_registered_and_gets_a_code() -> None:
    assert given().when(account.register, **FORM, now=NOW) == [REGISTERED, code_sent()]


def test_an_unverified_address_again_replaces_password_name_and_code() -> None:
    again = FORM | {"name": "Anna", "password_hash": "other", "code_digest": "digest-new"}
    assert given(*UNVERIFIED).when(account.register, **again, now=at(minutes=1)) == [
        PasswordChanged("other"),
        ProfileChanged("Anna"),
        code_sent(at(minutes=1), "digest-new"),
    ]


def test_registering_again_with_the_same_password_only_sends_a_code() -> None:
    again = FORM | {"password_hash": "other salt", "same_as": "hash", "code_digest": "digest-new"}
    assert given(*UNVERIFIED).when(account.register, **again, now=at(minutes=1)) == [code_sent(at(minutes=1), "digest-new")]
    meanwhile = given(*UNVERIFIED, PasswordChanged("another's"))
    assert meanwhile.when(account.register, **again, now=at(minutes=1))[0] == PasswordChanged("other salt")


def test_the_code_of_a_contested_address_proves_it_and_activates_nobodys_password() -> None:
    contested = [*UNVERIFIED, PasswordChanged("another's"), code_sent(at(minutes=1), "digest-new")]
    proven = given(*contested).when(account.verify, code_digest="digest-new", now=at(minutes=2))
    assert proven == [AccountVerified(at(minutes=2)), PasswordWithdrawn()]
    now = given(*contested, *proven)
    assert (now.state.status, now.state.password_hash, now.state.contested) == (account.Status.ACTIVE, None, False)


def test_a_password_that_was_chosen_with_a_mailed_code_ends_the_contest() -> None:
    chosen: list[AccountEvent] = [PasswordChanged("another's"), AccountVerified(NOW), PasswordChanged("the owner's")]
    state = given(*UNVERIFIED, *chosen).state
    assert (state.password_hash, state.contested) == ("the owner's", False)


def test_registering_a_verified_address_is_no_event() -> None:
    assert given(*ACTIVE).when(account.register, **FORM, now=NOW) == []


def test_the_eleventh_code_of_a_day_is_not_sent() -> None:
    ten = [code_sent(at(minutes=minute)) for minute in range(10)]
    assert given(REGISTERED, *ten).when(account.resend, code_digest=RIGHT, now=at(hours=1)) == []
    assert given(REGISTERED, *ten).when(account.register, **FORM, now=at(hours=1)) == []
    assert given(REGISTERED, *ten).when(account.resend, code_digest=RIGHT, now=at(hours=24, seconds=1)) != []


def test_codes_for_a_new_password_count_towards_the_ten() -> None:
    resets: list[AccountEvent] = [PasswordResetRequested("d", at(minutes=minute), at(minutes=minute + 10)) for minute in range(9)]
    assert given(*UNVERIFIED, *resets).when(account.resend, code_digest=RIGHT, now=at(hours=1)) == []


def test_only_an_unverified_address_gets_another_code() -> None:
    assert given(*UNVERIFIED).when(account.resend, code_digest="new", now=at(minutes=2)) == [code_sent(at(minutes=2), "new")]
    assert given(*ACTIVE).when(account.resend, code_digest="new", now=NOW) == []
    assert given().when(account.resend, code_digest="new", now=NOW) == []


def test_the_right_code_verifies() -> None:
    assert given(*UNVERIFIED).when(account.verify, code_digest=RIGHT, now=at(minutes=9)) == [AccountVerified(at(minutes=9))]


def test_a_wrong_code_is_counted() -> None:
    assert given(*UNVERIFIED).when(account.verify, code_digest=WRONG, now=NOW) == [VerificationCodeRefused()]


def test_after_five_wrong_codes_the_right_one_is_refused() -> None:
    four = given(*UNVERIFIED, *[VerificationCodeRefused()] * 4)
    assert four.when(account.verify, code_digest=RIGHT, now=NOW) == [AccountVerified(NOW)]
    with pytest.raises(CodeRefused):
        given(*UNVERIFIED, *[VerificationCodeRefused()] * 5).when(account.verify, code_digest=RIGHT, now=NOW)


def test_a_new_code_has_five_tries_of_its_own() -> None:
    again = given(*UNVERIFIED, *[VerificationCodeRefused()] * 5, code_sent(at(minutes=1), "new"))
    assert again.when(account.verify, code_digest="new", now=at(minutes=2)) == [AccountVerified(at(minutes=2))]


def test_a_code_ends_after_ten_minutes_and_when_it_is_replaced() -> None:
    with pytest.raises(CodeRefused):
        given(*UNVERIFIED).when(account.verify, code_digest=RIGHT, now=at(minutes=10))
    replaced = given(*UNVERIFIED, code_sent(at(minutes=1), "new"))
    assert replaced.when(account.verify, code_digest=RIGHT, now=at(minutes=2)) == [VerificationCodeRefused()]


@pytest.mark.parametrize("history", [(), ACTIVE, (*UNVERIFIED, AccountErased(NOW))], ids=["unknown", "active", "erased"])
def test_a_code_is_single_use_and_opens_nothing_else(history: tuple[AccountEvent, ...]) -> None:
    with pytest.raises(CodeRefused):
        given(*history).when(account.verify, code_digest=RIGHT, now=NOW)


def test_renaming_to_the_same_name_changes_nothing() -> None:
    assert given(*ACTIVE).when(account.rename, name="Anna") == [ProfileChanged("Anna")]
    assert given(*ACTIVE).when(account.rename, name="Ann") == []
    with pytest.raises(AccountGone):
        given(*ACTIVE, AccountErased(NOW)).when(account.rename, name="Anna")


def test_signing_out_everywhere_raises_the_generation() -> None:
    assert given(*ACTIVE).when(account.revoke_all) == [SessionsRevoked(generation=2)]
    assert given(*ACTIVE, SessionsRevoked(generation=2)).when(account.revoke_all) == [SessionsRevoked(generation=3)]
    with pytest.raises(AccountGone):
        given().when(account.revoke_all)


def test_ending_one_session_is_told_and_leaves_the_generation() -> None:
    [told] = given(*ACTIVE).when(account.revoke_session, session_id="ses_1")
    assert told == SessionsRevoked(session_id="ses_1")
    assert given(*ACTIVE, told).state.generation == 1
    assert given(*ACTIVE, AccountErased(NOW)).when(account.revoke_session, session_id="ses_1") == []


def test_erasing_twice_changes_nothing_and_leaves_nothing_personal() -> None:
    assert given(*ACTIVE).when(account.erase, now=NOW) == [AccountErased(NOW)]
    gone = given(*ACTIVE, AccountErased(NOW))
    assert gone.when(account.erase, now=NOW) == []
    assert given().when(account.erase, now=NOW) == []
    assert (gone.state.email, gone.state.name, gone.state.password_hash, gone.state.codes_sent) == (None, None, None, ())


def test_an_erased_past_can_still_be_folded() -> None:
    past: list[AccountEvent] = [AccountRegistered(ERASED, ERASED, ERASED, ERASED, NOW), PasswordChanged(ERASED), ProfileChanged(ERASED)]
    assert given(*past, AccountErased(NOW)).state.status is account.Status.ERASED


def test_the_address_is_claimed_and_given_up_by_name() -> None:
    assert list(account.unique(given().state, REGISTERED)) == ["email:email-digest"]
    assert list(account.unique(given(*ACTIVE).state, AccountErased(NOW))) == ["email:email-digest"]
    assert list(account.unique(given(*ACTIVE).state, VerificationCodeSent("d", NOW, NOW))) == []
