"""The relay of one service: leads or stands by, and begins a new session from the durable cursor after every error."""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import asyncpg
from latchkey.access import KafkaAccess
from latchkey.deadline import is_stray
from latchkey.topics import TOPICS, Topic

from shared.relay.comparison import LogIsBehind
from shared.relay.cursor import Cursor
from shared.relay.gauges import Gauges
from shared.relay.heartbeat import Beating, Heartbeat
from shared.relay.leadership import Lease, end_if_cancelled, lead
from shared.relay.offsets import Offsets
from shared.relay.outlet import Outlet
from shared.relay.session import Session, compacted
from shared.wake import Wake

_log: Final = logging.getLogger(__name__)
_ACTIVE_FOR: Final = 1.0  # seconds after the last event in which the log is polled quickly
_FEW: Final = 200  # events; after a pass with fewer the relay takes breath
_BREATH: Final = 0.002  # seconds; a pass costs some 300 µs whatever it carries, so passes of one event each would eat a core
_PAUSES: Final = (0.05, 2.0)  # seconds between sessions that fail: at first and at most


@dataclass(frozen=True)
class RelaySettings:
    """`database_url` is the application role's. `idle_seconds` bounds how late an event is noticed when no wake-up came; in keys it must
    be at most a quarter of the verifier's bound, which a heartbeat sees to."""

    database_url: str
    bootstrap: str | KafkaAccess
    topics: Sequence[Topic]
    active_seconds: float = 0.015
    idle_seconds: float = 0.2
    heartbeat: Heartbeat | None = None


def topics_of(service: str) -> list[Topic]:
    """The topics that a service publishes on."""
    return [topic for topic in TOPICS if topic.name.startswith(f"{service}.")]


class Relay:
    """Publishes every committed event at least once; the first occurrences of one stream's events are in version order.

    Any number of processes may run one: the leader publishes. Leadership saves work; it is not what makes this correct. Every relay emits
    in position order starting at or before the durable cursor, so whatever two of them interleave, a first occurrence never overtakes.
    """

    def __init__(self, settings: RelaySettings, wake: Wake, gauges: Gauges) -> None:
        self._settings, self._wake, self._gauges = settings, wake, gauges

    async def run(self) -> None:
        """Lead or stand by, for ever."""
        await lead(self._settings.database_url, "relay", self._lead)

    async def _lead(self, lease: Lease) -> None:
        pause = _PAUSES[0]
        self._gauges.leading.set(1)
        try:
            while True:
                end_if_cancelled()
                started = time.monotonic()
                try:
                    await self._session(lease)
                except LogIsBehind as behind:
                    self._gauges.refuses(str(behind))
                except (Exception, asyncio.CancelledError) as error:  # the answer is a new producer and the durable cursor
                    if isinstance(error, asyncio.CancelledError) and not is_stray(error):
                        raise
                    self._gauges.discarded.inc()
                    _log.warning("relay: the producer is thrown away after %r", error)
                pause = _PAUSES[0] if time.monotonic() - started > _PAUSES[1] else min(2 * pause, _PAUSES[1])
                await asyncio.sleep(pause)
        finally:
            self._gauges.leading.set(0)

    async def _session(self, lease: Lease) -> None:
        """Publish until the first error. However it ends, the producer goes first."""
        settings = self._settings
        offsets = Offsets(compacted(settings.topics))
        outlet = Outlet(settings.bootstrap, settings.topics, offsets, lease)
        connections: list[asyncpg.Connection] = []
        try:
            for name in ("relay reads", "relay cursor"):
                own = {"application_name": name}
                connections.append(await asyncpg.connect(settings.database_url, timeout=5, command_timeout=10, server_settings=own))
            await outlet.open()
            beating = Beating(settings.heartbeat) if settings.heartbeat else None
            reading, writing = connections
            session = Session(reading, writing, outlet, offsets, Cursor(writing, offsets), self._gauges, beating)
            await session.begin()
            self._gauges.refuses(None)
            await self._turns(session, beating)
        finally:
            await outlet.close()
            for db in connections:
                db.terminate()

    async def _turns(self, session: Session, beating: Beating | None) -> None:
        loop = asyncio.get_running_loop()
        active_until = 0.0
        while True:
            end_if_cancelled()
            sent = await session.turn()
            now = loop.time()
            if sent:
                active_until = now + _ACTIVE_FOR
                if sent < _FEW:
                    await asyncio.sleep(_BREATH)
            pause = self._settings.active_seconds if now < active_until else self._settings.idle_seconds
            await self._wake.wait(min(pause, beating.due_in()) if beating else pause)
