"""What the relay concludes from offsets: who else wrote, and what Kafka lost."""

import pytest

from shared.relay.offsets import LostRecords, Offsets

STATE, EVENTS = ("toy.state", 0), ("toy.events", 3)


def offsets(**following: int) -> Offsets:
    places = {"state": STATE, "events": EVENTS}
    return Offsets({"toy.state"}, {places[name]: end for name, end in following.items()})


def test_records_between_two_of_ours_were_written_by_another() -> None:
    known = offsets(state=5)
    known.acknowledged(STATE, 5, 2)
    assert known.unseen == {}
    known.acknowledged(STATE, 9, 1)
    assert known.unseen == {STATE: 7}
    known.acknowledged(STATE, 12, 1)
    assert known.unseen == {STATE: 7}
    assert known.following[STATE] == 13


def test_a_late_batch_of_events_is_a_duplicate_and_needs_no_sweep() -> None:
    known = offsets(events=5)
    known.acknowledged(EVENTS, 9, 1)
    assert known.unseen == {}


def test_an_offset_given_out_twice_tells_that_records_were_lost() -> None:
    with pytest.raises(LostRecords):
        offsets(events=5).acknowledged(EVENTS, 4, 1)


def test_an_end_below_ours_is_a_loss_and_a_state_topic_is_then_swept_whole() -> None:
    known = offsets(state=5, events=7)
    assert known.compare({STATE: 2, EVENTS: 7}) == [STATE]
    assert known.unseen == {STATE: 0}
    assert known.compare({STATE: 2, EVENTS: 0}) == [EVENTS]
    assert known.following == {STATE: 2, EVENTS: 0}


def test_a_first_look_at_a_topic_with_records_sweeps_all_of_it() -> None:
    known = offsets()
    assert known.compare({STATE: 4, EVENTS: 4}) == []
    assert known.unseen == {STATE: 0}


def test_what_was_not_swept_is_looked_at_by_the_successor() -> None:
    known = offsets(state=5, events=7)
    known.acknowledged(STATE, 8, 1)
    successor = offsets()
    successor.load(known.dump())
    assert successor.following == {STATE: 5, EVENTS: 7}
    assert successor.compare({STATE: 9, EVENTS: 7}) == []
    assert successor.unseen == {STATE: 5}
