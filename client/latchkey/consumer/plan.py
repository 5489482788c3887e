"""The version rule: what is to be done with records that arrived, given what is known of their streams. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from latchkey.envelope import Envelope


class Reason(StrEnum):
    """Why a record was put aside."""

    GAP = "gap"
    BEHIND = "behind"
    FAILED = "failed"
    UNREADABLE = "unreadable"
    UNKNOWN_VERSION = "unknown_version"
    TOO_LARGE = "too_large"


class Place(NamedTuple):
    """Where a record lies. An event of the publisher's feed has its position there, negated, for an offset."""

    topic_epoch: int
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Arrival:
    """A record that came in: read into an envelope, or with the reason why it could not be."""

    place: Place
    raw: bytes
    envelope: Envelope | None
    reason: Reason | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One event whose turn it is. `parked` is where it was put aside before, when it was; then `arrival` is read from there."""

    stream_id: str
    version: int
    arrival: Arrival | None
    parked: Place | None = None


class Parking(NamedTuple):
    """A record to be put aside; without a stream when it could not be read."""

    arrival: Arrival
    reason: Reason
    error: str


@dataclass(slots=True)
class Plan:
    """What to apply in this order, what to put aside, and how many were there already."""

    steps: list[Step] = field(default_factory=list)
    park: list[Parking] = field(default_factory=list)
    duplicates: int = 0
    unknown: int = 0


def make_plan(
    arrivals: Iterable[Arrival],
    seen: Mapping[str, int],
    parked: Mapping[str, Mapping[int, Place]],
    *,
    first_sight_at_any_version: bool,
    wanted: Sequence[str] = (),
) -> Plan:
    """Apply the version rule to `arrivals` in their order; `seen` and `parked` must cover all their streams.

    A version at or below the one seen is a duplicate, the next one is applied, and after it those of its stream that were
    parked, as far as they follow without a gap. A later version is parked, and so is everything behind it: the other streams
    go on. A stream is first seen at version 1 unless what came before is known to be gone. Streams in `wanted` are tried again.
    """
    plan = Plan()
    state = _Streams(dict(seen), {stream: dict(versions) for stream, versions in parked.items()}, plan)
    for stream in wanted:
        state.heal(stream)
    for arrival in arrivals:
        if arrival.envelope is None:
            plan.park.append(Parking(arrival, arrival.reason or Reason.UNREADABLE, arrival.error))
        else:
            state.take(arrival, arrival.envelope, first_sight_at_any_version)
    return plan


@dataclass(slots=True)
class _Streams:
    last: dict[str, int]
    parked: dict[str, dict[int, Place]]
    plan: Plan

    def take(self, arrival: Arrival, envelope: Envelope, any_first: bool) -> None:
        stream, version = envelope.subject, envelope.streamversion
        last = self.last.get(stream)
        waiting = self.parked.get(stream)
        if (last is not None and version <= last) or (waiting and version in waiting):
            self.plan.duplicates += 1
        elif version == (last or 0) + 1 or (last is None and any_first and not waiting):
            self.plan.steps.append(Step(stream, version, arrival))
            self.plan.unknown += envelope.data is None
            self.last[stream] = version
            self.heal(stream)
        else:
            reason = Reason.BEHIND if waiting else Reason.GAP
            self.plan.park.append(Parking(arrival, reason, f"version {version} came after {last or 0}"))
            self.parked.setdefault(stream, {})[version] = arrival.place

    def heal(self, stream: str) -> None:
        waiting = self.parked.get(stream)
        while waiting:
            version = self.last.get(stream, 0) + 1
            place = waiting.pop(version, None)
            if place is None:
                return
            self._unpark(stream, version, place)
            self.last[stream] = version

    def _unpark(self, stream: str, version: int, place: Place) -> None:
        for index, parking in enumerate(self.plan.park):
            if parking.arrival.place == place:
                # It was put aside by this very plan: its turn came before anything was written.
                del self.plan.park[index]
                self.plan.steps.append(Step(stream, version, parking.arrival))
                return
        self.plan.steps.append(Step(stream, version, None, place))
