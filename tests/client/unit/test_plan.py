"""The version rule: each version of a stream is applied once and in order, whatever comes in which order."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from latchkey.consumer.plan import Arrival, Place, Plan, Reason, make_plan
from latchkey.envelope import decode

from tests.client.publisher import envelope

_KNOWN = {(stream, version): decode(envelope(stream, version)) for stream in "ab" for version in range(1, 7)}


def arrivals(*events: tuple[str, int], offset: int = 0) -> list[Arrival]:
    return [Arrival(Place(0, 0, offset + index), b"", _KNOWN[event]) for index, event in enumerate(events)]


def planned(
    came: Sequence[Arrival],
    seen: dict[str, int] | None = None,
    parked: dict[str, dict[int, Place]] | None = None,
    *,
    free: bool = False,
    wanted: Sequence[str] = (),
) -> Plan:
    return make_plan(came, seen or {}, parked or {}, first_sight_at_any_version=free, wanted=wanted)


def steps(plan: Plan) -> list[tuple[str, int]]:
    return [(step.stream_id, step.version) for step in plan.steps]


def put_aside(plan: Plan) -> list[tuple[int, Reason]]:
    return [(parking.arrival.place.offset, parking.reason) for parking in plan.park]


def test_the_next_version_is_applied_and_an_old_one_is_a_duplicate() -> None:
    plan = planned(arrivals(("a", 2), ("a", 3), ("a", 4)), {"a": 2})
    assert (steps(plan), plan.duplicates, plan.park) == ([("a", 3), ("a", 4)], 1, [])


def test_a_stream_is_first_seen_at_version_1() -> None:
    assert put_aside(planned(arrivals(("a", 2)))) == [(0, Reason.GAP)]
    assert steps(planned(arrivals(("a", 2)), free=True)) == [("a", 2)]
    assert put_aside(planned(arrivals(("a", 4)), {"a": 2}, free=True)) == [(0, Reason.GAP)]


def test_behind_a_gap_everything_of_that_stream_is_put_aside_and_nothing_of_another() -> None:
    plan = planned(arrivals(("a", 1), ("a", 3), ("b", 1), ("a", 4)))
    assert steps(plan) == [("a", 1), ("b", 1)]
    assert put_aside(plan) == [(1, Reason.GAP), (3, Reason.BEHIND)]


def test_the_missing_version_brings_back_those_behind_it_as_far_as_they_follow() -> None:
    waiting = {"a": {3: Place(0, 0, 7), 4: Place(0, 0, 8), 6: Place(0, 0, 9)}}
    plan = planned(arrivals(("a", 2)), {"a": 1}, waiting)
    assert [(step.version, step.parked) for step in plan.steps] == [(2, None), (3, Place(0, 0, 7)), (4, Place(0, 0, 8))]


def test_a_parked_version_that_comes_again_is_a_duplicate() -> None:
    plan = planned(arrivals(("a", 2)), {"a": 1}, {"a": {2: Place(0, 0, 7)}})
    assert (plan.steps, plan.park, plan.duplicates) == ([], [], 1)


def test_a_wanted_stream_is_tried_again() -> None:
    waiting = {"a": {2: Place(0, 0, 7), 3: Place(0, 0, 8)}}
    assert steps(planned([], {"a": 1}, waiting, wanted=["a"])) == [("a", 2), ("a", 3)]
    assert steps(planned([], {}, waiting, wanted=["a"])) == []


def test_what_cannot_be_read_is_put_aside_without_a_stream() -> None:
    plan = planned([Arrival(Place(0, 0, 5), b"{", None, Reason.UNREADABLE, "no JSON"), *arrivals(("a", 1))])
    assert (steps(plan), put_aside(plan)) == ([("a", 1)], [(5, Reason.UNREADABLE)])


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 6)), max_size=25), st.integers(1, 5))
def test_any_order_with_any_duplicates_applies_each_version_once_in_order(events: list[tuple[str, int]], batch: int) -> None:
    seen: dict[str, int] = {}
    parked: dict[str, dict[int, Place]] = {}
    applied: list[tuple[str, int]] = []
    for start in range(0, len(events), batch):
        plan = planned(arrivals(*events[start : start + batch], offset=start), seen, parked)
        for step in plan.steps:
            applied.append((step.stream_id, step.version))
            seen[step.stream_id] = step.version
            parked.get(step.stream_id, {}).pop(step.version, None)
        for parking in plan.park:
            assert parking.arrival.envelope is not None
            parked.setdefault(parking.arrival.envelope.subject, {})[parking.arrival.envelope.streamversion] = parking.arrival.place
    for stream in "ab":
        came = {version for name, version in events if name == stream}
        reachable = next(version for version in range(7) if version + 1 not in came)
        assert [version for name, version in applied if name == stream] == list(range(1, reachable + 1))
        assert set(parked.get(stream, {})) == {version for version in came if version > reachable}
