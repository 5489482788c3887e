"""The overlap of a rotation ends before its time: finished, or rolled back."""

import pytest
from latchkey.judging import PairStatus

from services.keys.domain.errors import PairAlreadyActive, PairEnded, PairNotRetiring
from services.keys.domain.events import (
    DisableReason,
    KeyDisabled,
    KeyPairGenerated,
    KeyRevoked,
    KeyringEvent,
    KeyRotationFinished,
    KeyRotationRolledBack,
)
from tests.keys.builders import Decision, at, finishing, generated, given, new_pair, rolling_back, rotated

OVERLAPPING = given(*generated("kp_1"), *rotated("kp_1", "kp_2", until=at(60)))
ROLLED_BACK: list[KeyringEvent] = [KeyRotationRolledBack("kp_1", "kp_2"), KeyDisabled("kp_2", DisableReason.ROTATED)]


def test_finishing_ends_the_old_pair_now_and_once() -> None:
    finished: list[KeyringEvent] = [KeyRotationFinished("kp_1", "kp_2"), KeyDisabled("kp_1", DisableReason.ROTATED)]
    assert OVERLAPPING.when(finishing("kp_1")) == finished
    assert given(*generated("kp_1"), *rotated("kp_1", "kp_2", until=at(60)), *finished).when(finishing("kp_1")) == []


def test_rolling_back_leaves_the_old_pair_active_as_if_it_had_never_been_rotated() -> None:
    assert OVERLAPPING.when(rolling_back("kp_1")) == ROLLED_BACK
    ring = given(*generated("kp_1"), *rotated("kp_1", "kp_2", until=at(60)), *ROLLED_BACK).ring
    assert [(pair.pair_id, pair.status) for pair in ring.ended] == [("kp_2", PairStatus.RETIRED)]
    assert ring.live == given(*generated("kp_1")).ring.live


def test_a_new_pair_that_was_revoked_is_not_ended_again() -> None:
    ring = given(*generated("kp_1"), *rotated("kp_1", "kp_2", until=at(60)), KeyRevoked("kp_2", "leaked"))
    assert ring.when(rolling_back("kp_1")) == [KeyRotationRolledBack("kp_1", "kp_2")]


def test_nothing_is_rolled_back_beside_a_third_pair() -> None:
    history = (*rotated("kp_1", "kp_2", until=at(60)), KeyRevoked("kp_2", "leaked"), KeyPairGenerated(new_pair("kp_3")))
    with pytest.raises(PairAlreadyActive):
        given(*generated("kp_1"), *history).when(rolling_back("kp_1"))


def test_an_overlap_that_is_over_is_not_rolled_back() -> None:
    with pytest.raises(PairEnded):
        OVERLAPPING.when(rolling_back("kp_1", at(60)))


@pytest.mark.parametrize("decision", [finishing("kp_2"), rolling_back("kp_2")])
def test_without_an_overlap_there_is_none_to_end(decision: Decision) -> None:
    with pytest.raises(PairNotRetiring):
        OVERLAPPING.when(decision)
