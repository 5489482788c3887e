"""The table that keys are looked up in, in process memory: loaded from the inline view, then fed by the tail of our own log."""

import asyncio
import json
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from typing import Final

import asyncpg
from latchkey.beats import boot_clock
from latchkey.directory import Directory, Entry
from latchkey.judging import RingRecord, decode_ring
from latchkey.topics import KEYS_VERIFIER_STATE

from services.keys.projections.packed_rings import packed_rings
from shared.store.fence import fence
from shared.store.log import Tailed, tail
from shared.wake import Wake

MOST_WAITING: Final = 1024
_LOOKS_A_BOUND: Final = 8
_LONGEST_PAUSE: Final = 0.05  # seconds between two looks at the log when no wake-up comes
_NEVER: Final = float("-inf")
_LAST: Final = "SELECT coalesce(max(position), 0) FROM es.events WHERE position <= $1"
_log: Final = logging.getLogger(__name__)


class TableBusy(Exception):
    """As many look-ups of unknown keys are waiting as may wait."""


class TableStale(Exception):
    """The table cannot be shown to be complete."""


class VerifierTable:
    """Every ring as verifiers must know it, and how long it may still be believed.

    `fresh` says that everything committed longer ago than the bound is in the table: what was revoked then is refused. Run `run` beside.
    """

    def __init__(
        self, connect: Callable[[], Awaitable[asyncpg.Connection]], wake: Wake, *, bound_seconds: float,
        clock: Callable[[], float] = boot_clock,
    ) -> None:  # fmt: skip
        self._connect, self._wake, self._bound, self._clock = connect, wake, bound_seconds, clock
        self._rings, self._complete_to = Directory(), _NEVER
        self._waiting: deque[tuple[float, asyncio.Future[None]]] = deque()  # since when, in this order
        self._overdue: asyncio.TimerHandle | None = None

    @property
    def fresh(self) -> bool:
        """Whether answers may be given now."""
        return self._clock() < self._complete_to + self._bound

    @property
    def age_seconds(self) -> float:
        """How old the table can be; infinite before it was loaded."""
        return self._clock() - self._complete_to

    def look_up(self, text: str) -> Entry | None:
        """The key that this text is, as far as is known at once. Raises TableStale."""
        if self._clock() >= self._complete_to + self._bound:
            raise TableStale
        return self._rings.look_up(text)

    def settled(self) -> asyncio.Future[None]:
        """Done once everything that was committed before this call is held, or after twice the bound: then a look-up is sure, or raises
        TableStale. Raises TableBusy. A task and a deadline for each that waits would double what an unknown key costs."""
        if len(self._waiting) >= MOST_WAITING:
            raise TableBusy
        loop = asyncio.get_running_loop()
        done = loop.create_future()
        self._waiting.append((self._clock(), done))
        self._overdue = self._overdue or loop.call_later(2 * self._bound, self._give_up)
        return done

    def put(self, ring: RingRecord) -> None:
        """Hold a ring that was just committed, before the log's tail tells of it; an older state than the known one changes nothing."""
        self._rings.put(ring)

    async def run(self) -> None:
        """Load, then follow the log for ever; a lost connection is made again, and meanwhile freshness runs out."""
        pause = min(self._bound / _LOOKS_A_BOUND, _LONGEST_PAUSE)
        position = await self._loaded()
        async with aclosing(tail(self._connect, position, self._wake, every=pause)) as tailed:
            async for found in tailed:
                self._take(found)

    async def _loaded(self) -> int:
        while True:
            try:
                return await self._load()
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
                _log.warning("the verifier's table could not be loaded; trying again: %r", error)
            await asyncio.sleep(self._bound)

    async def _load(self) -> int:
        """One statement sees one snapshot; it holds everything up to the fence, and the tail repeats what it holds of the rest.

        The tail begins at the last row below the fence, not at the fence: a number that was rolled back may come again after a crash.
        """
        db = await self._connect()
        try:
            position: int = await db.fetchval(_LAST, (await fence(db)).high)
            async with db.transaction(readonly=True), aclosing(packed_rings(db)) as pages:
                async for rings in pages:
                    for packed in rings:
                        self._rings.put_packed(packed)
        finally:
            db.terminate()
        return position

    def _take(self, found: Tailed) -> None:
        for entry in found.rows:
            for topic, ring_id, text in json.loads(entry.row.states or "[]"):
                if topic == KEYS_VERIFIER_STATE:
                    ring = decode_ring(text.encode())
                    if ring is None:
                        self._rings.erase(ring_id)
                    else:
                        self._rings.put(ring)
        if found.caught_up:
            self._complete_to = found.as_of
            self._release(found.as_of)

    def _release(self, since: float) -> None:
        while self._waiting and self._waiting[0][0] <= since:
            done = self._waiting.popleft()[1]
            if not done.done():
                done.set_result(None)

    def _give_up(self) -> None:
        self._overdue = None
        self._release(self._clock() - 2 * self._bound)
        if self._waiting:
            first = self._waiting[0][0] + 2 * self._bound - self._clock()
            self._overdue = asyncio.get_running_loop().call_later(first, self._give_up)
