"""Disable, enable, revoke, expire: what each leads to from each state, and what changes nothing."""

import pytest

from services.keys.domain.errors import PairAlreadyActive, PairEnded, PairRetiring
from services.keys.domain.events import (
    DisableReason,
    KeyDisabled,
    KeyEnabled,
    KeyExpired,
    KeyPairGenerated,
    KeyRevoked,
    KeyringEvent,
)
from tests.keys.builders import at, disabling, enabling, generated, given, new_pair, revoking, rotated, settling

OFF = KeyDisabled("kp_1", DisableReason.REQUESTED)
REVOKED = KeyRevoked("kp_1", "leaked")
ROTATED = rotated("kp_1", "kp_2")
OVERLAP = rotated("kp_1", "kp_2", until=at(60))


def test_disabling_an_active_pair() -> None:
    assert given(*generated("kp_1")).when(disabling("kp_1")) == [OFF]


def test_disabling_twice_changes_nothing() -> None:
    assert given(*generated("kp_1"), OFF).when(disabling("kp_1")) == []


def test_enabling_a_disabled_pair() -> None:
    assert given(*generated("kp_1"), OFF).when(enabling("kp_1")) == [KeyEnabled("kp_1")]


def test_enabling_what_works_changes_nothing() -> None:
    assert given(*generated("kp_1")).when(enabling("kp_1")) == []


def test_enabling_beside_an_active_pair_is_refused() -> None:
    with pytest.raises(PairAlreadyActive):
        given(*generated("kp_1"), OFF, KeyPairGenerated(new_pair("kp_2"))).when(enabling("kp_1"))


def test_enabling_when_the_other_pair_has_expired_unnoticed() -> None:
    other = KeyPairGenerated(new_pair("kp_2", expires_at=at(5)))
    assert given(*generated("kp_1"), OFF, other).when(enabling("kp_1", now=at(5))) == [KeyExpired("kp_2"), KeyEnabled("kp_1")]


@pytest.mark.parametrize("history", [(REVOKED,), ROTATED, (KeyExpired("kp_1"),)])
def test_an_ended_pair_can_be_neither_enabled_nor_disabled(history: tuple[KeyringEvent, ...]) -> None:
    for decision in (enabling("kp_1"), disabling("kp_1")):
        with pytest.raises(PairEnded):
            given(*generated("kp_1"), *history).when(decision)


def test_a_retiring_pair_can_be_neither_enabled_nor_disabled() -> None:
    for decision in (enabling("kp_1"), disabling("kp_1")):
        with pytest.raises(PairRetiring):
            given(*generated("kp_1"), *OVERLAP).when(decision)


def test_an_expired_pair_cannot_be_enabled_before_the_timer_has_noticed() -> None:
    with pytest.raises(PairEnded):
        given(*generated("kp_1", expires_at=at(1)), OFF).when(enabling("kp_1", now=at(1)))


@pytest.mark.parametrize("history", [(), (OFF,), OVERLAP])
def test_a_live_pair_can_be_revoked(history: tuple[KeyringEvent, ...]) -> None:
    assert given(*generated("kp_1"), *history).when(revoking("kp_1")) == [REVOKED]


@pytest.mark.parametrize("history", [(REVOKED,), ROTATED, (KeyExpired("kp_1"),)])
def test_revoking_what_is_refused_for_ever_changes_nothing(history: tuple[KeyringEvent, ...]) -> None:
    assert given(*generated("kp_1"), *history).when(revoking("kp_1")) == []


def test_revoking_the_new_pair_leaves_the_overlap_of_the_old_one() -> None:
    ring = given(*generated("kp_1"), *OVERLAP, KeyRevoked("kp_2", "leaked")).ring
    assert [pair.pair_id for pair in ring.live] == ["kp_1"]


@pytest.mark.parametrize("history", [(), (OFF,), OVERLAP])
def test_a_live_pair_expires_in_its_instant(history: tuple[KeyringEvent, ...]) -> None:
    expiring = given(*generated("kp_1", expires_at=at(10)), *history)
    assert expiring.when(settling(at(9.999999))) == []
    assert expiring.when(settling(at(10))) == [KeyExpired("kp_1")]


@pytest.mark.parametrize("history", [(REVOKED,), ROTATED])
def test_an_ended_pair_does_not_expire(history: tuple[KeyringEvent, ...]) -> None:
    assert given(*generated("kp_1", expires_at=at(10)), *history).when(settling(at(20))) == []
