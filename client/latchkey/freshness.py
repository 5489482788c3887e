"""Until when a verifier may answer, without comparing clocks. Pure: every time is an argument, in seconds on the verifier's own clock.

The verifier reads its clock (t0) and then asks for the topic's end. A beat that lies at or beyond that end was acknowledged after
t0; it was begun d before that, d being what the leader's next beat tells; and everything committed before a beat was begun lies
before it on the topic. So once the beat is read, the table holds everything committed before t0 - d, and may answer until
t0 - d + bound. A beat that proves nothing costs nothing: the last proof stands until it runs out.
"""

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from latchkey.beats import Beat

DRIFT: Final = 1.02
"""The leader's clock may run 2 % slow: what it measured is taken to be that much longer."""
_QUESTIONS: Final = 256
_LEADERS: Final = 8
_WALL_BEATS: Final = 32
NEVER: Final = float("-inf")


@dataclass(frozen=True, slots=True)
class _Candidate:
    """The last beat of one leader, with the latest t0 after which it was acknowledged."""

    number: int
    after: float


class Freshness:
    """What a verifier has proof of. `complete_to`: everything committed before it is in the table; `until`: it may answer before it."""

    def __init__(self, bound: float) -> None:
        self.bound = bound
        self.complete_to = NEVER
        self.until = NEVER
        self._questions: deque[tuple[float, int]] = deque(maxlen=_QUESTIONS)
        # One for each leader: while two believe to lead, their beats alternate, and each must still meet its own next one.
        self._candidates: dict[str, _Candidate] = {}
        self._wall: deque[float] = deque(maxlen=_WALL_BEATS)

    def asked(self, t0: float, end: int) -> None:
        """The end of the topic, asked for at `t0`, was `end`: the offset of the record to come next."""
        self._questions.append((t0, end))

    def beat(self, offset: int, beat: Beat, now: float) -> None:
        """The beat at `offset` was read, and before it everything that lies before it on the topic."""
        before = self._candidates.pop(beat.leader, None)
        if before is not None and beat.d is not None and before.number + 1 == beat.number:
            self.complete_to = max(self.complete_to, before.after - beat.d * DRIFT)
            self.until = self.complete_to + self.bound
        answered = max((t0 for t0, end in self._questions if end <= offset), default=NEVER)
        while self._questions and self._questions[0][0] < answered:
            self._questions.popleft()
        self._candidates[beat.leader] = _Candidate(beat.number, answered)
        while len(self._candidates) > _LEADERS:
            del self._candidates[next(iter(self._candidates))]
        self._wall.append(beat.as_of_wall.timestamp() - now)

    def wall(self, now: float) -> datetime | None:
        """The database's time at `now`, a little late at most by the quickest beat's way here; `None` before the first beat."""
        return datetime.fromtimestamp(now + max(self._wall), UTC) if self._wall else None
