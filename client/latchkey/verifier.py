"""Checking keys inside the caller's own process: a table fed by Kafka, and proof of how old it can be, or no answer."""

import asyncio
import contextlib
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final, NamedTuple

from latchkey.access import KafkaAccess
from latchkey.beats import boot_clock
from latchkey.judging import Code
from latchkey.keyformat import Environment, Kind, parse_key
from latchkey.livetable import LiveTable
from latchkey.rings import PairRecord
from latchkey.topics import KEYS_VERIFIER_STATE

MAX_WAITERS: Final = 1024
_WAITED_FOR: Final = (Code.NOT_FOUND, Code.STALE_FEED)


class Verdict(NamedTuple):
    """What is known of a key: only `Code.VALID` accepts. `record` is the pair, when there is one; kind and environment are the prefix's."""

    code: Code
    record: PairRecord | None
    kind: Kind | None
    environment: Environment | None


_new: Final = tuple.__new__  # what a named tuple's own constructor calls, without the call to that
_MALFORMED: Final = Verdict(Code.MALFORMED, None, None, None)


class LocalVerifier:
    """Answers from memory what the keys service would answer, never on the word of a table older than `bound_ms`.

    A key that was revoked is refused at most `bound_ms` after the commit, whatever happens to Kafka, to the keys service or to this
    machine; when that cannot be promised, the answer is STALE_FEED.
    """

    def __init__(
        self,
        bootstrap: str | KafkaAccess,
        *,
        bound_ms: int = 1000,
        topic: str = KEYS_VERIFIER_STATE,
        clock: Callable[[], float] = boot_clock,
    ) -> None:
        self._bound, self._clock = bound_ms / 1000, clock
        self._table = LiveTable(bootstrap, topic, self._bound, clock)
        self._task: asyncio.Task[None] | None = None
        self._waiters = 0

    async def start(self) -> None:
        """Begin to read the topic. Answers are STALE_FEED until its end, as it was at the start, is reached and proven fresh."""
        self._task = asyncio.create_task(self._table.run())

    async def stop(self) -> None:
        """Stop reading; from then on the answers run out."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def ready(self, wait_seconds: float) -> bool:
        """Wait until it can answer; false when that took too long."""
        return await self._until(lambda: self.fresh, wait_seconds)

    @property
    def fresh(self) -> bool:
        """Whether it can answer now."""
        return self._clock() < self._table.until

    @property
    def age_seconds(self) -> float:
        """How old the table can be: everything committed longer ago than that is in it. Infinite before the first proof."""
        return self._clock() - self._table.complete_to

    @property
    def unreadable(self) -> int:
        """Records that could not be read; their rings are refused."""
        return self._table.unreadable

    def check(self, key_text: str, *, origin: str | None = None, ip: str | None = None, scope: str | None = None) -> Verdict:
        """Judge a key at once. A key made within the last moments may be NOT_FOUND; `check_fresh` waits for those."""
        now = self._clock()
        entry = self._table.directory.look_up(key_text) if now < self._table.until else None
        if entry is None:
            return self._unknown(key_text, now)
        code = entry.judged(self._wall, origin=origin, ip=ip, scope=scope)
        return _new(Verdict, (code, entry.record, entry.kind, entry.environment))

    async def check_fresh(self, key_text: str, *, origin: str | None = None, ip: str | None = None, scope: str | None = None) -> Verdict:
        """Judge a key; one that is well-formed and unknown is NOT_FOUND only once everything committed before the call is known.

        A table that ran out of proof less than a bound ago is waited for, until that bound is over: so a short stall of Kafka or of this
        machine costs time and no answer, and an outage that lasts is told at once. At most 1,024 calls wait; one more, or a wait of more
        than twice the bound, is STALE_FEED.
        """
        verdict = self.check(key_text, origin=origin, ip=ip, scope=scope)
        if verdict.code not in _WAITED_FOR:
            return verdict
        called, judge = self._clock(), partial(self.check, key_text, origin=origin, ip=ip, scope=scope)
        if verdict.code is Code.STALE_FEED and await self._waited(lambda: self.fresh, self._table.until + self._bound - called):
            verdict = judge()
        if verdict.code is not Code.NOT_FOUND:
            return verdict
        known = await self._waited(
            lambda: self._table.complete_to >= called or self._table.directory.look_up(key_text) is not None,
            called + 2 * self._bound - self._clock(),
        )
        return judge() if known and self.fresh else verdict._replace(code=Code.STALE_FEED)

    async def _waited(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Whether it holds within this time; false at once where there is no time, or too many wait."""
        if self._waiters >= MAX_WAITERS or seconds <= 0:
            return False
        self._waiters += 1
        try:
            return await self._until(holds, seconds)
        finally:
            self._waiters -= 1

    def _unknown(self, key_text: str, now: float) -> Verdict:
        parsed = parse_key(key_text)
        if parsed is None:
            return _MALFORMED
        code = Code.NOT_FOUND if now < self._table.until else Code.STALE_FEED
        return Verdict(code, None, parsed.kind, parsed.environment)

    def _wall(self) -> datetime:
        return self._table.wall(self._clock()) or datetime.now(UTC)

    async def _until(self, holds: Callable[[], bool], seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                while not holds():
                    await self._table.turned.wait()
        except TimeoutError:
            return False
        return True
