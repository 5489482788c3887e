"""Checking keys inside the caller's own process: a table fed by Kafka, and proof of how old it can be, or no answer."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from typing import Final, NamedTuple, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition

from latchkey.beats import BEAT_KEY, boot_clock, decode_beat
from latchkey.directory import Directory
from latchkey.freshness import NEVER, Freshness
from latchkey.judging import Code, judge
from latchkey.keyformat import Environment, Kind, ParsedKey, covered, parse_key
from latchkey.rings import PairRecord, PairStatus, decode_ring
from latchkey.states import BadState
from latchkey.topics import KEYS_VERIFIER_STATE

MAX_WAITERS: Final = 1024
RELOAD_SECONDS: Final = 300.0
"""After a longer cut the topic is read from its start: meanwhile it may have been made anew and have grown beyond where we were,
and tombstones are only kept for 7 days.
"""
_NO_DEADLINE: Final = datetime(1970, 1, 1, tzinfo=UTC)
_log = logging.getLogger("latchkey.verifier")


class Verdict(NamedTuple):
    """What is known of a key: only `Code.VALID` accepts. `record` is the pair, when there is one; kind and environment are the prefix's."""

    code: Code
    record: PairRecord | None
    kind: Kind | None
    environment: Environment | None


_MALFORMED: Final = Verdict(Code.MALFORMED, None, None, None)


class _Record(Protocol):
    offset: int
    key: bytes | None
    value: bytes | None


class LocalVerifier:
    """Answers from memory what the keys service would answer, never on the word of a table older than `bound_ms`.

    A key that was revoked is refused at most `bound_ms` after the commit, whatever happens to Kafka, to the keys service or to this
    machine; when that cannot be promised, the answer is STALE_FEED.
    """

    def __init__(
        self, bootstrap: str, *, bound_ms: int = 1000, topic: str = KEYS_VERIFIER_STATE, clock: Callable[[], float] = boot_clock
    ) -> None:
        self._bootstrap, self._bound, self._clock = bootstrap, bound_ms / 1000, clock
        self._partition = TopicPartition(topic, 0)
        self._task: asyncio.Task[None] | None = None
        self._turned = asyncio.Event()
        self._waiters = 0
        self.unreadable = 0
        """Records that could not be read; their rings are refused."""
        self._restart()

    async def start(self) -> None:
        """Begin to read the topic. Answers are STALE_FEED until its end, as it was at the start, is reached and proven fresh."""
        self._task = asyncio.create_task(self._run())

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
        return self._clock() < self._fresh_until

    @property
    def age_seconds(self) -> float:
        """How old the table can be: everything committed longer ago than that is in it. Infinite before the first proof."""
        return self._clock() - self._freshness.complete_to if self._loaded else float("inf")

    def check(self, key_text: str, *, origin: str | None = None, ip: str | None = None, scope: str | None = None) -> Verdict:
        """Judge a key at once. A key made within the last moments may be NOT_FOUND; `check_fresh` waits for those."""
        body = covered(key_text)
        if body is None:
            return _MALFORMED
        now = self._clock()
        entry = self._directory.look_up(body) if now < self._fresh_until else None
        if entry is None:
            return self._unknown(key_text, now)
        record, kind, environment, _ = entry
        wall = _NO_DEADLINE if record.status is PairStatus.ACTIVE and record.expires_at is None else self._wall(now)
        return Verdict(judge(record, kind, wall, origin=origin, ip=ip, scope=scope), record, kind, environment)

    async def check_fresh(self, key_text: str, *, origin: str | None = None, ip: str | None = None, scope: str | None = None) -> Verdict:
        """Judge a key; one that is well-formed and unknown is NOT_FOUND only once everything committed before the call is known.

        At most 1,024 calls wait; one more, or a wait of more than twice the bound, is STALE_FEED.
        """
        verdict = self.check(key_text, origin=origin, ip=ip, scope=scope)
        if verdict.code is not Code.NOT_FOUND or verdict.kind is None or verdict.environment is None:
            return verdict
        parsed = ParsedKey(verdict.kind, verdict.environment, key_text)
        called = self._clock()
        if self._waiters >= MAX_WAITERS:
            return verdict._replace(code=Code.STALE_FEED)
        self._waiters += 1
        try:
            known = await self._until(
                lambda: self._freshness.complete_to >= called or self._directory.find(parsed) is not None, 2 * self._bound
            )
        finally:
            self._waiters -= 1
        if not known or not self.fresh:
            return verdict._replace(code=Code.STALE_FEED)
        return self.check(key_text, origin=origin, ip=ip, scope=scope)

    def _unknown(self, key_text: str, now: float) -> Verdict:
        parsed = parse_key(key_text)
        if parsed is None:
            return _MALFORMED
        code = Code.NOT_FOUND if now < self._fresh_until else Code.STALE_FEED
        return Verdict(code, None, parsed.kind, parsed.environment)

    def _wall(self, now: float) -> datetime:
        return self._freshness.wall(now) or datetime.now(UTC)

    async def _until(self, holds: Callable[[], bool], seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                while not holds():
                    await self._turned.wait()
        except TimeoutError:
            return False
        return True

    def _restart(self) -> None:
        self._directory, self._freshness = Directory(), Freshness(self._bound)
        self._next, self._target = 0, 0
        self._loaded = False
        self._heard_at = NEVER
        self._fresh_until = NEVER

    async def _run(self) -> None:
        while True:
            try:
                async with self._clients() as (reader, asker), asyncio.TaskGroup() as group:
                    group.create_task(self._read(reader))
                    group.create_task(self._ask(asker))
            except Exception as error:  # noqa: BLE001 - whatever it is, reading has to go on; until then the answers run out
                _log.warning("the verifier topic cannot be read: %r", error)
                await asyncio.sleep(min(0.2, self._bound))

    @asynccontextmanager
    async def _clients(self) -> AsyncIterator[tuple[AIOKafkaConsumer, AIOKafkaConsumer]]:
        # Kafka answers the requests of one connection one after the other, so the question for the end must not wait behind a fetch.
        async with AsyncExitStack() as exits:
            made = []
            for _ in range(2):
                client = AIOKafkaConsumer(
                    bootstrap_servers=self._bootstrap, enable_auto_commit=False, auto_offset_reset="earliest", fetch_max_wait_ms=100
                )
                client.assign([self._partition])
                exits.push_async_callback(_stopped, client)
                async with asyncio.timeout(15):
                    await client.start()
                made.append(client)
            reader, asker = made
            asker.pause(self._partition)
            await self._take_up(reader)
            yield reader, asker

    async def _take_up(self, reader: AIOKafkaConsumer) -> None:
        async with asyncio.timeout(15):
            end = (await reader.end_offsets([self._partition]))[self._partition]
        if end < self._next or self._clock() - self._heard_at > RELOAD_SECONDS:
            self._restart()
        if not self._loaded:
            self._target = end
        reader.seek(self._partition, self._next)

    async def _ask(self, asker: AIOKafkaConsumer) -> None:
        while True:
            t0 = self._clock()
            async with asyncio.timeout(15):
                end = (await asker.end_offsets([self._partition]))[self._partition]
            if end < self._next:
                raise BadState("the topic ends before what was read of it: it was made anew")
            self._freshness.asked(t0, end)
            await asyncio.sleep(self._bound / 8)

    async def _read(self, reader: AIOKafkaConsumer) -> None:
        while True:
            async with asyncio.timeout(15):
                batches = await reader.getmany(self._partition, timeout_ms=200, max_records=2000)
            for record in batches.get(self._partition, ()):
                if record.offset < self._next:
                    raise BadState("the topic begins anew")
                self._take(record)
                self._next = record.offset + 1
            self._heard_at = self._clock()
            self._loaded = self._loaded or self._next >= self._target
            if self._loaded:
                self._fresh_until = self._freshness.until
            # Everybody who waits looks again; whoever comes now waits for the next turn.
            self._turned.set()
            self._turned = asyncio.Event()

    def _take(self, record: _Record) -> None:
        key = (record.key or b"").decode(errors="replace")
        try:
            if record.key == BEAT_KEY:
                self._freshness.beat(record.offset, decode_beat(record.value or b""), self._clock())
                return
            ring = decode_ring(record.value)
            if ring is None:
                self._directory.erase(key)
            else:
                self._directory.put(ring)
        except BadState:
            # What was held of the ring may be what this record took back.
            self.unreadable += 1
            self._directory.distrust(key)


async def _stopped(client: AIOKafkaConsumer) -> None:
    with contextlib.suppress(Exception):
        async with asyncio.timeout(5):
            await client.stop()
