"""The verifier topic as a table in memory, kept up as it grows, with the proof until when the table may be believed."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from hashlib import sha256
from typing import Final, Protocol

from aiokafka import AIOKafkaConsumer, TopicPartition

from latchkey.access import KafkaAccess, options
from latchkey.beats import BEAT_KEY, decode_beat
from latchkey.deadline import START_GRACE, Abandoned, finish, within
from latchkey.directory import Directory
from latchkey.freshness import NEVER, Freshness
from latchkey.rings import decode_ring
from latchkey.states import BadState

RELOAD_SECONDS: Final = 300.0
"""After a longer cut the topic is read from its start: meanwhile it may have been made anew and have grown beyond where we were,
and tombstones are only kept for 7 days.
"""
SILENCE_SECONDS: Final = 10.0
"""Beats come several times a second, so a client that gave nothing for so long is thrown away: some never recover by themselves."""
_DEADLINE_SECONDS: Final = 5.0
_LEAVE_SECONDS: Final = 2.0
_log = logging.getLogger("latchkey.verifier")


class _Record(Protocol):
    offset: int
    key: bytes | None
    value: bytes | None


class LiveTable:
    """The rings of one verifier topic. `until` is the moment, on `clock`, before which the table may be believed."""

    def __init__(self, bootstrap: str | KafkaAccess, topic: str, bound: float, clock: Callable[[], float]) -> None:
        self._bootstrap, self._bound, self._clock = bootstrap, bound, clock
        self._partition = TopicPartition(topic, 0)
        self.turned = asyncio.Event()
        """Set, and replaced by a new one, whenever something was read: who waits for a change looks again."""
        self.unreadable = 0
        """Records that could not be read; their rings are refused."""
        self._session = 0
        self._restart()

    @property
    def complete_to(self) -> float:
        """Everything committed before this moment is in the table."""
        return self._freshness.complete_to if self._loaded else NEVER

    def wall(self, now: float) -> datetime | None:
        """The database's time at `now`, as far as the beats tell."""
        return self._freshness.wall(now)

    async def run(self) -> None:
        """Read for ever. Errors are logged and tried again; what was proven before runs out meanwhile."""
        while True:
            self._session += 1
            session = asyncio.create_task(self._listen(self._session))
            try:
                await self._until_silent(session)
            except Exception as error:  # noqa: BLE001 - whatever it is, reading has to go on; until then the answers run out
                _log.warning("the verifier topic cannot be read: %r", error)
            finally:
                # It may not let itself be cancelled; then it is left behind, and knows by its number that it is not the one that counts.
                session.cancel()
                session.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
                await asyncio.wait({session}, timeout=_LEAVE_SECONDS)
            await asyncio.sleep(min(0.2, self._bound))

    async def _until_silent(self, session: "asyncio.Task[None]") -> None:
        began = self._clock()
        while True:
            ended, _ = await asyncio.wait({session}, timeout=1.0)
            if session.cancelled():
                raise Abandoned
            if ended:
                return session.result()
            silent = self._clock() - max(self._heard_at, began)
            if silent > SILENCE_SECONDS:
                raise BadState(f"nothing was heard for {silent:.0f} s")

    async def _listen(self, session: int) -> None:
        async with self._clients() as (reader, asker), asyncio.TaskGroup() as group:
            group.create_task(self._read(reader, session))
            group.create_task(self._ask(asker, session))

    def _restart(self) -> None:
        self.directory, self._freshness = Directory(), Freshness(self._bound)
        self._next, self._target = 0, 0
        self._last = b""
        self._loaded = False
        self._heard_at = NEVER
        self.until = NEVER

    @asynccontextmanager
    async def _clients(self) -> AsyncIterator[tuple[AIOKafkaConsumer, AIOKafkaConsumer]]:
        # Kafka answers the requests of one connection one after the other, so the question for the end must not wait behind a fetch.
        async with AsyncExitStack() as exits:
            made = []
            for _ in range(2):
                client = AIOKafkaConsumer(
                    **options(self._bootstrap), enable_auto_commit=False, auto_offset_reset="earliest", fetch_max_wait_ms=100
                )
                client.assign([self._partition])
                exits.push_async_callback(_stopped, client)
                await finish(_DEADLINE_SECONDS, client.start(), grace=START_GRACE)
                made.append(client)
            reader, asker = made
            asker.pause(self._partition)
            await self._take_up(reader)
            yield reader, asker

    async def _take_up(self, reader: AIOKafkaConsumer) -> None:
        end = (await within(_DEADLINE_SECONDS, reader.end_offsets([self._partition])))[self._partition]
        if end < self._next or self._cut_too_long():
            self._restart()
        if not self._loaded:
            self._target = end
        # The record that was read last comes again, so that another topic of the same name is known for one.
        reader.seek(self._partition, max(0, self._next - 1))

    def _cut_too_long(self) -> bool:
        return self._next > 0 and self._clock() - self._heard_at > RELOAD_SECONDS

    async def _ask(self, asker: AIOKafkaConsumer, session: int) -> None:
        while True:
            t0, read = self._clock(), self._next
            end = (await within(_DEADLINE_SECONDS, asker.end_offsets([self._partition])))[self._partition]
            self._still(session)
            if end < read:
                raise BadState("the topic ends before what was read of it: it was made anew")
            self._freshness.asked(t0, end)
            await asyncio.sleep(self._bound / 8)

    async def _read(self, reader: AIOKafkaConsumer, session: int) -> None:
        began, known = self._clock(), self._next == 0
        while True:
            batches = await within(_DEADLINE_SECONDS, reader.getmany(self._partition, timeout_ms=200, max_records=2000))
            self._still(session)
            records = batches.get(self._partition, ())
            self._suspect(began, heard=bool(records))
            if records and not known:
                records, known = self._recognise(records), True
            for record in records:
                if record.offset < self._next:
                    raise BadState("the topic begins anew")
                self._take(record)
                self._next, self._last = record.offset + 1, _digest(record)
                self._heard_at = self._clock()
            self._loaded = self._loaded or self._next >= self._target
            if self._loaded:
                self.until = self._freshness.until
            # Everybody who waits looks again; whoever comes now waits for the next turn.
            self.turned.set()
            self.turned = asyncio.Event()

    def _still(self, session: int) -> None:
        """Raise in a session that was left behind, before it touches the table."""
        if session != self._session:
            raise BadState("another session reads the topic now")

    def _suspect(self, began: float, *, heard: bool) -> None:
        """Raise when this session, begun at `began`, was deaf for so long that the topic may be another one."""
        silent = self._clock() - max(self._heard_at, began)
        if heard and self._next > 0 and silent > self._bound:
            raise BadState("nothing was heard for longer than the bound: before more is believed, the topic is looked at again")

    def _recognise(self, records: Sequence[_Record]) -> Sequence[_Record]:
        """The records behind the one that was read last in an earlier session. Raises, and forgets everything, when that is not there."""
        if records[0].offset != self._next - 1 or _digest(records[0]) != self._last:
            self._restart()
            raise BadState("the topic is not the one that was read before")
        return records[1:]

    def _take(self, record: _Record) -> None:
        key = (record.key or b"").decode(errors="replace")
        try:
            if record.key == BEAT_KEY:
                self._freshness.beat(record.offset, decode_beat(record.value or b""), self._clock())
                return
            ring = decode_ring(record.value)
            if ring is None:
                self.directory.erase(key)
            else:
                self.directory.put(ring)
        except (ValueError, TypeError):
            # What was held of the ring may be what this record took back.
            self.unreadable += 1
            self.directory.distrust(key)


def _digest(record: _Record) -> bytes:
    return sha256(record.value or b"").digest()


async def _stopped(client: AIOKafkaConsumer) -> None:
    with contextlib.suppress(Exception):
        await finish(_DEADLINE_SECONDS, client.stop())
