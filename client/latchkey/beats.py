"""The heartbeat on the verifier topic: what the leader of keys says it had published completely, and how long saying it took."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from latchkey.states import BadState

BEAT_KEY: Final = b"!"
"""The one key of all beats: no ring id begins with it, and compaction keeps the last beat only."""


boot_clock: Final[Callable[[], float]] = partial(time.clock_gettime, getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
"""Seconds since the machine booted, counting those in which it was suspended, where the system tells; never set back."""


@dataclass(frozen=True, slots=True)
class Beat:
    """One beat. Everything committed before `as_of` lies before it on the topic.

    `leader` names one term of leadership, `number` counts its beats from 1. `as_of` is seconds on the leader's own clock, good for
    nothing but differences; `as_of_wall` is the database's clock at that moment. `d` is how many seconds went by from the `as_of` of
    the beat `number - 1` until Kafka had acknowledged it, `None` when that is not known.
    """

    leader: str
    number: int
    as_of: float
    d: float | None
    as_of_wall: datetime


def encode_beat(beat: Beat) -> bytes:
    """Write a beat as JSON."""
    wall = beat.as_of_wall.isoformat()
    document = {"leader": beat.leader, "number": beat.number, "as_of": beat.as_of, "d": beat.d, "as_of_wall": wall}
    return json.dumps(document, separators=(",", ":"), allow_nan=False).encode()


def decode_beat(raw: bytes) -> Beat:
    """Read a beat. Raises `BadState`."""
    try:
        document = json.loads(raw)
        d = document["d"]
        if d is not None and not float(d) >= 0:
            raise ValueError("nothing takes less than no time")  # noqa: TRY301 - one place says what a beat is not
        return Beat(
            leader=str(document["leader"]),
            number=int(document["number"]),
            as_of=float(document["as_of"]),
            d=None if d is None else float(d),
            as_of_wall=datetime.fromisoformat(document["as_of_wall"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadState(f"no beat: {error!r}") from error


class Beats:
    """The beats of one term of leadership, on the leader's side: `make` one, send it, and tell when it was `acknowledged`."""

    def __init__(self, leader: str) -> None:
        self._leader, self._number = leader, 0
        self._took: float | None = None

    def make(self, as_of: float, as_of_wall: datetime) -> Beat:
        """The next beat; `as_of` was read before the fence behind which everything was then published."""
        self._number += 1
        beat = Beat(self._leader, self._number, as_of, self._took, as_of_wall)
        # Unless somebody says otherwise, nobody knows how long this one takes.
        self._took = None
        return beat

    def acknowledged(self, beat: Beat, now: float) -> None:
        """Kafka acknowledged the beat at `now`, on the same clock as its `as_of`."""
        if beat.number == self._number:
            self._took = now - beat.as_of
