"""Ended sessions and raised generations, heard from Kafka as they happen; with Kafka away tokens still die of age."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from itertools import chain
from typing import Final, Self

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from latchkey.access import KafkaAccess, options
from latchkey.consumer import Policy, Status
from latchkey.consumer.pulse import Pulse
from latchkey.deadline import START_GRACE, finish, is_stray, within
from latchkey.envelope import BadEnvelope, UnknownMajorVersion, decode
from latchkey.events import PublicEvent
from latchkey.events.identity import AccountErased, SessionsRevoked
from latchkey.topics import BY_NAME, IDENTITY_ACCOUNT_EVENTS

from shared.http.tokens import Claims

REMEMBERED: Final = 600.0  # seconds; twice as long as an access token lives
_MOST: Final = 200_000
_RETRY: Final = 1.0
_STOP: Final = 5.0
_DEADLINE: Final = 15.0
_EVERY: Final = 2**31
_log = structlog.get_logger()


class Heard:
    """The lowest generation that still counts for each account, and ended sessions; each forgotten once no token can be that old."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` is in seconds."""
        self._clock = clock
        self._until = OrderedDict[str, tuple[float, int]]()

    def hear(self, event: PublicEvent | None) -> None:
        """Take an event of identity; others mean nothing here."""
        match event:
            case SessionsRevoked(session_id=str(session_id)):
                self._keep(f"session {session_id}", _EVERY)
            case SessionsRevoked(account_id=account_id, generation=int(generation)):
                self._keep(f"account {account_id}", generation)
            case AccountErased(account_id=account_id):
                self._keep(f"account {account_id}", _EVERY)
            case _:
                pass

    async def is_revoked(self, claims: Claims) -> bool:
        """See Revocations."""
        if not self._until or claims.kind == "service":
            return False
        least = self._until.get(f"account {claims.subject}")
        return (least is not None and claims.generation < least[1]) or f"session {claims.session_id}" in self._until

    def _keep(self, name: str, generation: int) -> None:
        now = self._clock()
        before = self._until.pop(name, (0.0, 0))
        self._until[name] = (now + REMEMBERED, max(before[1], generation))
        while self._until and (len(self._until) > _MOST or next(iter(self._until.values()))[0] < now):
            self._until.popitem(last=False)


class KafkaRevocations(Heard):
    """Listens to every partition of identity's account events, from ten minutes ago, for ever. Use as an async context manager."""

    def __init__(self, bootstrap: str | KafkaAccess, *, silence_seconds: float = 30.0) -> None:
        super().__init__()
        self._bootstrap, self._pulse = bootstrap, Pulse(Policy(silence_seconds=silence_seconds), Status())
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            try:
                await self._listen()
            except (Exception, asyncio.CancelledError) as error:
                if isinstance(error, asyncio.CancelledError) and not is_stray(error):
                    raise
                _log.warning("revocations are not heard; tokens end by age", error=type(error).__name__)
            await asyncio.sleep(_RETRY)

    async def _listen(self) -> None:
        partitions = [TopicPartition(IDENTITY_ACCOUNT_EVENTS, number) for number in range(BY_NAME[IDENTITY_ACCOUNT_EVENTS].partitions)]
        consumer = AIOKafkaConsumer(**options(self._bootstrap), enable_auto_commit=False, auto_offset_reset="earliest")
        consumer.assign(partitions)
        try:
            await finish(_DEADLINE, consumer.start(), grace=START_GRACE)
            # The ends first: what arrives between the two questions is then read twice, and not never.
            ends = await within(_DEADLINE, consumer.end_offsets(partitions))
            since = int((time.time() - REMEMBERED) * 1000)
            recent = await within(_DEADLINE, consumer.offsets_for_times(dict.fromkeys(partitions, since)))
            for partition in partitions:
                first = recent[partition]
                consumer.seek(partition, ends[partition] if first is None else first.offset)
            self._pulse.begin()
            while True:
                batches = await within(_DEADLINE, consumer.getmany(timeout_ms=1_000))
                for record in chain.from_iterable(batches.values()):
                    self._take(record.value)
                self._pulse.observe(consumer, {}, polled=bool(batches))
        finally:
            await finish(_STOP, consumer.stop())

    def _take(self, value: bytes | None) -> None:
        try:
            self.hear(decode(value).data if value else None)
        except (BadEnvelope, UnknownMajorVersion) as error:
            _log.warning("a record of identity could not be read", error=str(error))
