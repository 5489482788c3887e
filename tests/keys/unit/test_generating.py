"""S42, S43, S51, S53: a first pair, and never two active ones."""

import pytest

from services.keys.domain.decisions import LIVE_LIMIT
from services.keys.domain.errors import AccountErased, ExpiryPassed, PairAlreadyActive, TooManyPairs
from services.keys.domain.events import (
    DisableReason,
    KeyDisabled,
    KeyExpired,
    KeyPairGenerated,
    KeyRevoked,
    KeyringEvent,
    KeyringSuspended,
    KeySecretRevealed,
    SuspensionReason,
)
from tests.keys.builders import OPENED, at, erasing, generated, generating, given, new_pair


def test_the_first_pair_opens_the_ring_and_reveals_its_secret() -> None:
    assert given().when(generating("kp_1")) == [OPENED, KeyPairGenerated(new_pair("kp_1")), KeySecretRevealed("kp_1")]


def test_a_second_pair_beside_an_active_one_is_refused() -> None:
    with pytest.raises(PairAlreadyActive):
        given(*generated("kp_1")).when(generating("kp_2"))


@pytest.mark.parametrize("end", [KeyRevoked("kp_1", "leaked"), KeyDisabled("kp_1", DisableReason.REQUESTED), KeyExpired("kp_1")])
def test_a_pair_may_follow_one_that_is_off(end: KeyringEvent) -> None:
    assert given(*generated("kp_1"), end).when(generating("kp_2")) == [KeyPairGenerated(new_pair("kp_2")), KeySecretRevealed("kp_2")]


def test_a_pair_that_expired_unnoticed_is_written_as_expired_first() -> None:
    decided = given(*generated("kp_1", expires_at=at(10))).when(generating("kp_2", now=at(10)))
    assert decided == [KeyExpired("kp_1"), KeyPairGenerated(new_pair("kp_2")), KeySecretRevealed("kp_2")]


def test_a_pair_cannot_be_born_expired() -> None:
    with pytest.raises(ExpiryPassed) as refused:
        given().when(generating("kp_1", expires_at=at(0)))
    assert [error.pointer for error in refused.value.errors] == ["/expires_at"]


def test_a_suspended_ring_may_get_a_pair_which_is_born_suspended() -> None:
    suspended = given(OPENED, KeyringSuspended(SuspensionReason.APP_DISABLED, "app_1", 2))
    assert suspended.when(generating("kp_1")) == [KeyPairGenerated(new_pair("kp_1")), KeySecretRevealed("kp_1")]
    assert suspended.ring.suspensions == (SuspensionReason.APP_DISABLED,)


def test_an_erased_account_gets_no_pair() -> None:
    with pytest.raises(AccountErased):
        given(*given().when(erasing())).when(generating("kp_1"))


def test_disabled_pairs_cannot_pile_up_without_end() -> None:
    history: list[KeyringEvent] = [OPENED]
    for number in range(LIVE_LIMIT):
        history += [KeyPairGenerated(new_pair(f"kp_{number}")), KeyDisabled(f"kp_{number}", DisableReason.REQUESTED)]
    with pytest.raises(TooManyPairs):
        given(*history).when(generating("kp_x"))
