"""S52: the ring works only while no foreign stream gives a reason against it, whatever the pairs' own states."""

import pytest

from services.keys.domain.events import (
    KeyRevoked,
    KeyringEvent,
    KeyringResumed,
    KeyringSuspended,
    SuspensionReason,
)
from tests.keys.builders import OPENED, erasing, generated, given, hearing

DISABLED, ARCHIVED = SuspensionReason.APP_DISABLED, SuspensionReason.APP_ARCHIVED


def _suspended(reason: SuspensionReason, version: int) -> KeyringEvent:
    return KeyringSuspended(reason, "source_1", version)


def _resumed(reason: SuspensionReason, version: int) -> KeyringEvent:
    return KeyringResumed(reason, "source_1", version)


def test_a_ring_without_pairs_is_suspended_too() -> None:
    assert given().when(hearing(DISABLED, 2, suspends=True)) == [OPENED, _suspended(DISABLED, 2)]


def test_a_ring_is_resumed_by_a_later_version() -> None:
    assert given(*generated("kp_1"), _suspended(DISABLED, 2)).when(hearing(DISABLED, 3, suspends=False)) == [_resumed(DISABLED, 3)]


@pytest.mark.parametrize("version", [1, 2])
def test_what_is_not_newer_changes_nothing(version: int) -> None:
    assert given(*generated("kp_1"), _suspended(DISABLED, 2)).when(hearing(DISABLED, version, suspends=False)) == []


def test_an_old_suspension_that_comes_again_after_its_end_changes_nothing() -> None:
    heard = given(*generated("kp_1"), _suspended(DISABLED, 2), _resumed(DISABLED, 3))
    assert heard.when(hearing(DISABLED, 2, suspends=True)) == []


def test_what_is_so_already_is_no_event() -> None:
    assert given(*generated("kp_1")).when(hearing(DISABLED, 1, suspends=False)) == []
    assert given(*generated("kp_1"), _suspended(DISABLED, 2)).when(hearing(DISABLED, 4, suspends=True)) == []


def test_the_ring_works_only_when_no_reason_is_left() -> None:
    both = given(*generated("kp_1"), _suspended(DISABLED, 2), _suspended(ARCHIVED, 3))
    assert both.ring.suspensions == (ARCHIVED, DISABLED)
    assert both.when(hearing(ARCHIVED, 4, suspends=False)) == [_resumed(ARCHIVED, 4)]
    assert given(*generated("kp_1"), _suspended(DISABLED, 2), _suspended(ARCHIVED, 3), _resumed(ARCHIVED, 4)).ring.suspensions == (
        DISABLED,
    )


def test_erasing_suspends_for_ever_and_revokes_every_live_pair() -> None:
    assert given(*generated("kp_1")).when(erasing()) == [
        KeyringSuspended(SuspensionReason.ACCOUNT_ERASED, "acc_1", 3),
        KeyRevoked("kp_1", "account_erased"),
    ]


def test_erasing_twice_changes_nothing() -> None:
    erased = given(*generated("kp_1"))
    assert given(*generated("kp_1"), *erased.when(erasing())).when(erasing()) == []
