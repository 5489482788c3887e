"""A stateful model of one ring against the pure aggregate: whatever is done in whatever order, the laws hold."""

from collections.abc import Callable
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from latchkey.judging import Code, PairStatus, judge
from latchkey.keyformat import Kind

from services.keys.domain.events import KeyDisabled, KeyRevoked, KeyringEvent, SuspensionReason
from services.keys.domain.keyring import Keyring, fold
from services.keys.publications import ring_record
from shared.errors import Refusal
from tests.keys.builders import NOW, disabling, enabling, finishing, generating, hearing, regenerating, revoking, rolling_back, settling

Decision = Callable[[Keyring], list[KeyringEvent]]
GONE = {Code.REVOKED, Code.EXPIRED, Code.ROTATED, Code.NOT_FOUND}
WHICH = st.integers(0, 30)


class OneRing(RuleBasedStateMachine):
    """The same commands as over HTTP, with a clock of our own."""

    def __init__(self) -> None:
        super().__init__()
        self.ring, self.now = Keyring("kr_1"), NOW
        self.made: list[str] = []
        self.gone: set[str] = set()
        self.suspended, self.version = False, 0

    def _do(self, decision: Decision) -> list[KeyringEvent]:
        try:
            events = decision(self.ring)
        except Refusal:
            return []
        self.ring = fold(self.ring, events)
        self.gone |= {event.pair_id for event in events if isinstance(event, KeyRevoked)}
        return events

    def _name(self, which: int) -> str:
        return self.made[which % len(self.made)] if self.made else "kp_none"

    @rule(lifetime=st.none() | st.integers(1, 100))
    def generate(self, lifetime: int | None) -> None:
        expires_at: datetime | None = None if lifetime is None else self.now + timedelta(seconds=lifetime)
        name = f"kp_{len(self.made)}"
        if self._do(generating(name, expires_at=expires_at, now=self.now)):
            self.made.append(name)

    @rule(which=WHICH, overlap_seconds=st.sampled_from([0, 0, 5, 60]))
    def regenerate(self, which: int, overlap_seconds: int) -> None:
        old, name = self._name(which), f"kp_{len(self.made)}"
        if self._do(regenerating(old, name, overlap_seconds=overlap_seconds, now=self.now)):
            self.made.append(name)
            if not overlap_seconds:
                self.gone.add(old)

    @rule(which=WHICH, what=st.sampled_from([disabling, enabling]))
    def switch(self, which: int, what: Callable[[str, datetime], Decision]) -> None:
        self._do(what(self._name(which), self.now))

    @rule(which=WHICH)
    def revoke(self, which: int) -> None:
        self._do(revoking(self._name(which)))

    @rule(which=WHICH, back=st.booleans())
    def end_the_overlap(self, which: int, *, back: bool) -> None:
        name = self._name(which)
        for event in self._do(rolling_back(name, self.now) if back else finishing(name)):
            if isinstance(event, KeyDisabled):
                self.gone.add(event.pair_id)

    @rule(seconds=st.integers(1, 90), timer=st.booleans())
    def wait(self, seconds: int, timer: bool) -> None:
        self.now += timedelta(seconds=seconds)
        if timer:
            self._do(settling(self.now))

    @rule(suspends=st.booleans())
    def hear(self, suspends: bool) -> None:
        self.version += 1
        self._do(hearing(SuspensionReason.APP_DISABLED, self.version, suspends=suspends))
        self.suspended = suspends

    @invariant()
    def at_most_one_pair_is_active_and_at_most_one_retires(self) -> None:
        for status in (PairStatus.ACTIVE, PairStatus.RETIRING):
            assert sum(pair.status is status for pair in self.ring.live) <= 1

    @invariant()
    def what_is_gone_stays_gone(self) -> None:
        """I7."""
        codes = self._codes()
        assert all(codes.get(name, Code.NOT_FOUND) in GONE for name in self.gone)

    @invariant()
    def nothing_works_while_the_ring_is_suspended(self) -> None:
        codes = set(self._codes().values())
        assert not (self.suspended and Code.VALID in codes)
        assert self.suspended or Code.APP_DISABLED not in codes

    @invariant()
    def deadlines_hold_without_the_timer(self) -> None:
        for pair in self.ring.live:
            if (pair.valid_until or self.now + timedelta(1)) <= self.now or (pair.made.expires_at or self.now + timedelta(1)) <= self.now:
                assert self._codes()[pair.pair_id] in GONE

    def _codes(self) -> dict[str, Code]:
        records = ring_record(self.ring, 1).pairs
        return {record.pair_id: judge(record, Kind.SECRET, self.now, origin=None, ip=None, scope=None) for record in records}


OneRing.TestCase.settings = settings(max_examples=8, stateful_step_count=20)
TestOneRing = OneRing.TestCase
