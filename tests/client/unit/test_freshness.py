"""Proof of freshness in a simulated world: never an answer from a table older than the bound, never a refusal for ever."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from latchkey.beats import Beat, Beats, boot_clock, decode_beat, encode_beat
from latchkey.freshness import Freshness
from latchkey.states import BadState

pytestmark = pytest.mark.slow  # it simulates hours

BOUND = 1.0
NEGATIVE = b'{"leader":"l","number":1,"as_of":1,"d":-1,"as_of_wall":"2026-11-23T00:00:00+00:00"}'
WALL = datetime(2026, 11, 23, tzinfo=UTC)


def test_nothing_is_fresh_before_a_beat_with_its_duration_is_read() -> None:
    freshness = Freshness(BOUND)
    beats = Beats("l1")
    freshness.asked(10.0, 5)
    first = beats.make(100.0, WALL)
    freshness.beat(5, first, 10.1)
    assert freshness.until < 0
    beats.acknowledged(first, 100.05)
    freshness.beat(6, beats.make(100.25, WALL), 10.3)
    assert freshness.complete_to == pytest.approx(10.0 - 0.05 * 1.02)
    assert freshness.until == pytest.approx(freshness.complete_to + BOUND)


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (Beat("l2", 2, 0.0, 0.1, WALL), "another leader measured something else"),
        (Beat("l1", 3, 0.0, 0.1, WALL), "a beat between them was lost"),
        (Beat("l1", 2, 0.0, None, WALL), "the leader does not know"),
    ],
)
def test_a_duration_that_is_not_this_beats_proves_nothing(second: Beat, reason: str) -> None:
    freshness = Freshness(BOUND)
    freshness.asked(10.0, 5)
    freshness.beat(5, Beat("l1", 1, 0.0, None, WALL), 10.1)
    freshness.beat(6, second, 10.3)
    assert freshness.until < 0, reason


def test_a_beat_below_the_end_that_was_asked_for_proves_nothing() -> None:
    freshness = Freshness(BOUND)
    freshness.asked(10.0, 7)
    freshness.beat(5, Beat("l1", 1, 0.0, None, WALL), 10.1)
    freshness.beat(6, Beat("l1", 2, 0.2, 0.0, WALL), 10.3)
    assert freshness.until < 0


def test_a_beat_whose_sending_failed_has_no_duration() -> None:
    beats = Beats("l1")
    lost = beats.make(1.0, WALL)
    following = beats.make(2.0, WALL)
    assert (following.number, following.d) == (2, None)
    beats.acknowledged(lost, 2.5)
    assert beats.make(3.0, WALL).d is None
    assert decode_beat(encode_beat(following)) == following
    for raw in (
        b"",
        b"{}",
        b"[]",
        b'{"leader":"l","number":1,"as_of":"x","d":null,"as_of_wall":"y"}',
        NEGATIVE,
        NEGATIVE.replace(b"-1", b"NaN"),
    ):
        with pytest.raises(BadState):
            decode_beat(raw)


def test_the_databases_time_is_never_ahead_and_late_by_the_quickest_beat_only() -> None:
    freshness = Freshness(BOUND)
    assert freshness.wall(0.0) is None
    for number, delay in enumerate((0.4, 0.01, 0.9), 1):
        freshness.beat(number, Beat("l1", number, 0.0, None, WALL + timedelta(seconds=number)), number + delay)
    assert freshness.wall(10.0) == WALL + timedelta(seconds=9.99)


def test_the_boot_clock_goes_on() -> None:
    assert boot_clock() <= boot_clock()


@dataclass
class World:
    """One topic, leaders with clocks of their own, a verifier; `now` is true time. A commit is a number that grows."""

    rate: float
    seed: int
    bound: float = BOUND
    now: float = 0.0
    committed: list[float] = field(default_factory=list)
    log: list[int | Beat] = field(default_factory=list)
    dice: random.Random = field(init=False)
    freshness: Freshness = field(init=False)
    table: int = 0
    read: int = 0

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)  # noqa: S311 - a simulation that can be repeated
        self.freshness = Freshness(self.bound)

    def commit(self) -> None:
        self.committed.append(self.now)

    def leader(self, name: str) -> Iterator[float]:
        """Publish, beat, measure; each yield is a moment at which anything may happen, for as long as it says at least."""
        beats = Beats(name)
        while True:
            as_of = self.now * self.rate
            yield 0.002
            high = len(self.committed)
            yield 0.01 * self.dice.random()
            self.log.extend(range(1, high + 1))
            yield 0.002
            beat = beats.make(as_of, WALL)
            self.log.append(beat)
            yield 0.005 * self.dice.random()
            beats.acknowledged(beat, self.now * self.rate)
            yield self.bound / 4

    def verify(self, *, cut: bool) -> None:
        """One turn of the verifier: the end asked for a moment ago, then everything that can be read."""
        if cut:
            return
        t0, end = self.now, len(self.log)
        self.freshness.asked(t0, end)
        for offset in range(self.read, len(self.log)):
            match self.log[offset]:
                case Beat() as beat:
                    self.freshness.beat(offset, beat, self.now)
                case number:
                    self.table = max(self.table, number)
        self.read = len(self.log)

    def stale_answer(self) -> bool:
        """Whether it would answer now although something committed longer than the bound ago is missing."""
        known = self.now < self.freshness.until
        due = sum(1 for at in self.committed if at < self.now - self.bound)
        return known and self.table < due


STEP = 0.02


@dataclass
class Process:
    """A leader on the simulated machine: it runs when its wait is over and it is not frozen."""

    steps: Iterator[float]
    wakes: float = 0.0

    def run(self, now: float, *, frozen: bool) -> None:
        while not frozen and self.wakes <= now:
            self.wakes = now + next(self.steps)


@pytest.mark.parametrize("rate", [0.99, 1.0, 1.01], ids=["slow", "right", "fast"])
@pytest.mark.parametrize("fault", ["none", "frozen leader", "suspended 60 s", "leader changes during a cut", "two leaders"])
def test_never_an_acceptance_after_the_bound_and_never_a_refusal_for_ever(rate: float, fault: str) -> None:
    world = World(rate, seed=11)
    old, new = Process(world.leader("old")), Process(world.leader("new"), wakes=3.2)
    answered: list[float] = []
    jump = 60.0 if fault == "suspended 60 s" else 0.0
    for tick in range(int(8 / STEP)):
        world.now = tick * STEP + (jump if tick * STEP > 3 else 0.0)
        moment = tick * STEP
        broken = 3 < moment < 5
        if world.dice.random() < 0.2:
            world.commit()
        old.run(world.now, frozen=(fault == "frozen leader" and broken) or (fault == "leader changes during a cut" and moment > 3))
        if fault in {"leader changes during a cut", "two leaders"}:
            new.run(world.now, frozen=moment < 3.2)
        world.verify(cut=fault == "leader changes during a cut" and broken)
        assert not world.stale_answer(), f"at {moment:.2f}"
        if world.now < world.freshness.until:
            answered.append(moment)
    assert any(moment < 1 for moment in answered)
    assert any(moment > 6.5 for moment in answered)
    if fault in {"frozen leader", "leader changes during a cut"}:
        assert not any(4.2 < moment < 4.9 for moment in answered)


def test_the_simulation_sees_a_verifier_that_trusts_the_clock() -> None:
    world = World(1.0, seed=3)
    world.commit()
    world.now = 5.0
    world.freshness.until = 6.0
    assert world.stale_answer()
