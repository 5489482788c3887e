"""The table of moves between statuses."""

from hypothesis import given, settings
from hypothesis import strategies as st

from services.metrics.domain.statuses import MOVES, Status, may_move

STEPS = {
    Status.CREATED: {Status.PENDING},
    Status.PENDING: {Status.AUTHORIZED},
    Status.AUTHORIZED: {Status.SUCCEEDED, Status.FAILED, Status.CANCELLED},
    Status.SUCCEEDED: {Status.PARTIALLY_REFUNDED, Status.DISPUTED},
    Status.PARTIALLY_REFUNDED: {Status.REFUNDED, Status.DISPUTED},
    Status.DISPUTED: {Status.SUCCEEDED, Status.REFUNDED},
}
STATUSES = st.sampled_from(list(Status))


def reachable(start: Status) -> set[Status]:
    found: set[Status] = set()
    todo = [start]
    while todo:
        for following in STEPS.get(todo.pop(), set()) - found:
            found.add(following)
            todo.append(following)
    return found


def test_every_status_is_in_the_table() -> None:
    assert MOVES.keys() == set(Status)


def test_every_single_step_is_allowed() -> None:
    assert all(may_move(start, end) for start, ends in STEPS.items() for end in ends)


@settings(max_examples=40)
@given(STATUSES, STATUSES)
def test_a_move_is_allowed_only_where_steps_lead(present: Status, wanted: Status) -> None:
    if may_move(present, wanted):
        assert wanted in reachable(present)
        assert wanted is not present


@settings(max_examples=40)
@given(STATUSES, STATUSES)
def test_only_a_dispute_leads_back(present: Status, wanted: Status) -> None:
    if may_move(present, wanted) and may_move(wanted, present):
        assert {present, wanted} == {Status.SUCCEEDED, Status.DISPUTED}


def test_skipping_forward_is_allowed_and_ends_are_ends() -> None:
    assert may_move(Status.CREATED, Status.REFUNDED)
    assert may_move(Status.PENDING, Status.DISPUTED)
    assert not may_move(Status.PARTIALLY_REFUNDED, Status.SUCCEEDED)
    for end in (Status.FAILED, Status.CANCELLED, Status.REFUNDED):
        assert not any(may_move(end, status) for status in Status)
