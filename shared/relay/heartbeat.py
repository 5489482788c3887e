"""Beats on a compacted topic: they prove to a verifier how fresh its table is, without comparing two clocks."""

import secrets
from dataclasses import dataclass
from typing import Final

import asyncpg
from latchkey.beats import BEAT_KEY, Beat, Beats, boot_clock, encode_beat

from shared.relay.outlet import Outlet, Record

_PER_BOUND: Final = 4


@dataclass(frozen=True)
class Heartbeat:
    """Beat on `topic`, which must have one partition, four times within `bound_seconds`."""

    topic: str
    bound_seconds: float


class Beating:
    """The beats of one session. Between `start` and `finish` the caller takes the fence and has everything up to it acknowledged."""

    def __init__(self, heartbeat: Heartbeat) -> None:
        self._topic, self._every = heartbeat.topic, heartbeat.bound_seconds / _PER_BOUND
        self._beats = Beats(secrets.token_hex(8))
        self._due = 0.0

    def due_in(self) -> float:
        """Seconds until the next beat should start."""
        return max(0.001, self._due - boot_clock())

    async def start(self, db: asyncpg.Connection) -> Beat | None:
        """Read both clocks, before the fence is taken; None when no beat is due."""
        as_of = boot_clock()
        if as_of < self._due:
            return None
        self._due = as_of + self._every
        return self._beats.make(as_of, await db.fetchval("SELECT clock_timestamp()"))

    async def finish(self, beat: Beat, outlet: Outlet) -> None:
        """Send the beat, now that everything up to the fence is acknowledged. Raises what sending raises."""
        await outlet.send(outlet.pack([Record(self._topic, BEAT_KEY.decode(), encode_beat(beat), [])]))
        self._beats.acknowledged(beat, boot_clock())
