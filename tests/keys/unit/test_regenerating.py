"""S48, S49: a new set of keys, and the end of the old one at once or exactly at its deadline."""

from datetime import timedelta

import pytest
from latchkey.judging import PairStatus

from services.keys.domain.decisions import OVERLAP_LIMIT_SECONDS, REGENERATIONS_A_DAY
from services.keys.domain.errors import (
    OverlapTooLong,
    PairDisabled,
    PairEnded,
    PairRetiring,
    TooManyRegenerations,
)
from services.keys.domain.events import (
    DisableReason,
    KeyDisabled,
    KeyPairGenerated,
    KeyRevoked,
    KeyringEvent,
    KeyRotated,
    KeyRotationFinished,
    KeySecretRevealed,
)
from tests.keys.builders import NOW, OPENED, at, generated, given, new_pair, regenerating, rotated, settling


def test_regenerating_refuses_the_old_pair_at_once() -> None:
    assert given(*generated("kp_1")).when(regenerating("kp_1", "kp_2")) == [
        KeyPairGenerated(new_pair("kp_2")),
        KeyRotated("kp_1", "kp_2", None, NOW),
        KeySecretRevealed("kp_2"),
        KeyDisabled("kp_1", DisableReason.ROTATED),
    ]


def test_the_old_pair_is_retired_and_the_new_one_active() -> None:
    ring = given(*generated("kp_1"), *rotated("kp_1", "kp_2")).ring
    assert [(pair.pair_id, pair.status) for pair in (*ring.ended, *ring.live)] == [
        ("kp_1", PairStatus.RETIRED),
        ("kp_2", PairStatus.ACTIVE),
    ]


def test_an_overlap_keeps_the_old_pair_until_its_deadline() -> None:
    assert given(*generated("kp_1")).when(regenerating("kp_1", "kp_2", overlap_seconds=60)) == [
        KeyPairGenerated(new_pair("kp_2")),
        KeyRotated("kp_1", "kp_2", at(60), NOW),
        KeySecretRevealed("kp_2"),
    ]


def test_an_overlap_ends_at_its_deadline_and_not_before() -> None:
    overlapping = given(*generated("kp_1"), *rotated("kp_1", "kp_2", until=at(60)))
    assert overlapping.when(settling(at(59.999999))) == []
    assert overlapping.when(settling(at(60))) == [KeyRotationFinished("kp_1", "kp_2"), KeyDisabled("kp_1", DisableReason.ROTATED)]


def test_regenerating_during_an_overlap_ends_the_older_overlap() -> None:
    overlapping = given(*generated("kp_1"), *rotated("kp_1", "kp_2", until=at(60)))
    assert overlapping.when(regenerating("kp_2", "kp_3", overlap_seconds=30)) == [
        KeyRotationFinished("kp_1", "kp_2"),
        KeyDisabled("kp_1", DisableReason.ROTATED),
        KeyPairGenerated(new_pair("kp_3")),
        KeyRotated("kp_2", "kp_3", at(30), NOW),
        KeySecretRevealed("kp_3"),
    ]


def test_the_new_pair_inherits_lineage_rules_and_expiry() -> None:
    old = new_pair("kp_1", lineage="kl_old", expires_at=at(3600), scopes=("charge",))
    decided = given(OPENED, KeyPairGenerated(old)).when(regenerating("kp_1", "kp_2"))
    assert decided[0] == KeyPairGenerated(new_pair("kp_2", lineage="kl_old", expires_at=at(3600), scopes=("charge",)))


@pytest.mark.parametrize("seconds", [-1, OVERLAP_LIMIT_SECONDS + 1])
def test_an_overlap_out_of_range_is_refused(seconds: int) -> None:
    with pytest.raises(OverlapTooLong):
        given(*generated("kp_1")).when(regenerating("kp_1", "kp_2", overlap_seconds=seconds))


def test_the_longest_overlap_is_a_week() -> None:
    decided = given(*generated("kp_1")).when(regenerating("kp_1", "kp_2", overlap_seconds=OVERLAP_LIMIT_SECONDS))
    assert KeyRotated("kp_1", "kp_2", NOW + timedelta(days=7), NOW) in decided


def test_a_retiring_pair_cannot_be_regenerated_again() -> None:
    with pytest.raises(PairRetiring):
        given(*generated("kp_1"), *rotated("kp_1", "kp_2", until=at(60))).when(regenerating("kp_1", "kp_3"))


def test_a_disabled_pair_cannot_be_regenerated() -> None:
    with pytest.raises(PairDisabled):
        given(*generated("kp_1"), KeyDisabled("kp_1", DisableReason.REQUESTED)).when(regenerating("kp_1", "kp_2"))


@pytest.mark.parametrize("ended", ["kp_1", "kp_forgotten"])
def test_an_ended_pair_cannot_be_regenerated(ended: str) -> None:
    with pytest.raises(PairEnded):
        given(*generated("kp_1"), KeyRevoked("kp_1", "leaked")).when(regenerating(ended, "kp_2"))


def test_a_pair_past_its_expiry_cannot_be_regenerated() -> None:
    with pytest.raises(PairEnded):
        given(*generated("kp_1", expires_at=at(1))).when(regenerating("kp_1", "kp_2", now=at(1)))


def _regenerated(times: int) -> list[KeyringEvent]:
    events: list[KeyringEvent] = [*generated("kp_0")]
    for number in range(times):
        events += rotated(f"kp_{number}", f"kp_{number + 1}")
    return events


def test_a_thousand_regenerations_a_day_are_enough() -> None:
    busy, last = given(*_regenerated(REGENERATIONS_A_DAY)), f"kp_{REGENERATIONS_A_DAY}"
    with pytest.raises(TooManyRegenerations) as refused:
        busy.when(regenerating(last, "kp_x"))
    assert refused.value.retry_after == timedelta(hours=12).total_seconds()
    assert busy.when(regenerating(last, "kp_x", now=NOW + timedelta(hours=12))) != []


def test_a_ring_remembers_the_last_hundred_ended_pairs() -> None:
    ring = given(*_regenerated(150)).ring
    assert [pair.pair_id for pair in ring.ended] == [f"kp_{number}" for number in range(50, 150)]
    assert [pair.pair_id for pair in ring.live] == ["kp_150"]
