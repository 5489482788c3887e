"""Group commit: one writer a process takes all waiting commands into one transaction and answers each after the commit."""

import asyncio
import contextlib
import logging
import re
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Self

import asyncpg
from latchkey.deadline import is_stray
from latchkey.failpoint import failpoint

from shared.errors import OutcomeUnknown, Refusal, StreamMoved, Unavailable
from shared.store.batch import MOST_EVENTS, Outcome, Transaction, choose
from shared.store.contract import DuplicateCommand
from shared.store.records import Idempotency, Write
from shared.wake import Wake

Refusals = Mapping[str, type[Refusal]]
Connect = Callable[[], Awaitable[asyncpg.Connection]]
STATEMENT_SECONDS: Final = 5.0  # a round trip that takes longer means that the network is gone: the server gives up after 1 s by itself
_ASK_SECONDS: Final = 5.0
_MOST_WAITING: Final = 4 * MOST_EVENTS
_TRANSIENT: Final = ("40001", "40P01", "55P03", "57014")  # serialization, deadlock, lock not available, cancelled
_TRIES: Final = 3
_HEADS: Final = 50_000
_log: Final = logging.getLogger(__name__)


# The id alone proves nothing: after a crash PostgreSQL may give an id that it had not yet written down to another transaction.
_FATE: Final = """
SELECT pg_xact_status($1::text::xid8),
    ($2::text IS NULL OR EXISTS (SELECT FROM es.events WHERE stream_id = $2 AND version = $3 AND hash = $4))
    AND ($5::text IS NULL OR EXISTS (SELECT FROM es.commands WHERE scope = $5 AND idempotency_key = $6))
"""


class _Lost(Exception):
    """The connection is gone. `outcome` is what the COMMIT that had been sent would make true, None when none had; `xid` is the id."""

    def __init__(self, xid: str | None, outcome: Outcome | None) -> None:
        super().__init__()
        self.xid, self.outcome = xid, outcome


class Writer:
    """Commits writes in groups on a connection of its own. Run it as an async context manager.

    A failure that certainly rolled back halves the batch until it costs only the command that caused it. A connection lost inside COMMIT
    is looked up by transaction id (`pg_xact_status`): the answer is success, "certainly not", or OutcomeUnknown, and never a second try.
    """

    def __init__(self, connect: Connect, transaction: Transaction, refusals: Refusals, wake: Wake) -> None:
        """`refusals` maps a unique constraint's name, without the version suffix of its table, to what violating it means."""
        self._connect, self._transaction, self._wake = connect, transaction, wake
        self._refusals: Refusals = {**refusals, "events_stream_version": StreamMoved, "subject_keys_pkey": StreamMoved}
        self._waiting: deque[tuple[Write, asyncio.Future[None]]] = deque()
        self._keyed: dict[tuple[str, str], asyncio.Future[None]] = {}
        self._answers: dict[int, asyncio.Future[None]] = {}
        self._heads: OrderedDict[str, int] = OrderedDict()
        self._work = asyncio.Event()
        self._db: asyncpg.Connection | None = None
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="writer")
        return self

    async def __aexit__(self, *_: object) -> None:
        """Commit what is waiting, then stop."""
        self._closing = True
        self._work.set()
        if self._task:
            await self._task
        if self._db:
            self._db.terminate()

    async def write(self, write: Write) -> None:
        """See Store.append. A caller that is cancelled while it waits may still have been committed."""
        if self._closing or len(self._waiting) >= _MOST_WAITING or len(write.rows) > MOST_EVENTS:
            raise Unavailable("too much is waiting to be written", retry_after=1)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if write.idempotency:
            self._keyed[write.idempotency.scope, write.idempotency.key] = future
        self._waiting.append((write, future))
        self._work.set()
        await future

    async def in_flight(self, idempotency: Idempotency) -> None:
        """Wait until no command with this key is under way in this process."""
        future = self._keyed.get((idempotency.scope, idempotency.key))
        if future and not future.done():
            await asyncio.wait([future])

    async def _run(self) -> None:
        while True:
            if not self._waiting:
                if self._closing:
                    return
                self._work.clear()
                await self._work.wait()
                continue
            try:
                await self._settle(self._take())
            except (Exception, asyncio.CancelledError) as error:  # whatever it was, whoever waits is answered and the writer goes on
                if isinstance(error, asyncio.CancelledError) and not is_stray(error):
                    raise
                _log.exception("a batch was given up")
                self._give_up()

    def _take(self) -> list[Write]:
        chosen = choose(write for write, _ in self._waiting)
        ids = {id(write) for write in chosen}
        rest: deque[tuple[Write, asyncio.Future[None]]] = deque()
        for write, future in self._waiting:
            if id(write) in ids:
                self._answers[id(write)] = future
            else:
                rest.append((write, future))
        self._waiting = rest
        return self._still_current(chosen)

    def _still_current(self, chosen: list[Write]) -> list[Write]:
        """Refuse at once what this process itself has overtaken; what other processes wrote is found by the database."""
        current = []
        for write in chosen:
            if any(self._heads.get(stream, 0) > version for stream, version in write.heads.items()):
                self._answer(write, StreamMoved())
            else:
                current.append(write)
        return current

    async def _settle(self, batch: Sequence[Write], tries: int = _TRIES) -> None:
        """Bring every write of the batch to its answer."""
        if not batch:
            return
        try:
            outcome = await self._commit(batch)
        except _Lost as lost:
            await self._after_loss(batch, lost, tries)
        except asyncpg.PostgresError as error:
            await self._after_refusal(batch, error, tries)
        except Exception as error:  # noqa: BLE001  # a view's or an encoding's own mistake: rolled back, and it must cost only its own command
            await self._after_refusal(batch, error, tries)
        else:
            self._done(outcome)

    def _done(self, outcome: Outcome) -> None:
        for write in outcome.taking_part:
            for row in write.rows:
                self._heads[row.stream_id] = row.version
                self._heads.move_to_end(row.stream_id)
            self._answer(write, None)
        while len(self._heads) > _HEADS:
            self._heads.popitem(last=False)
        self._answer_others(outcome)
        if any(write.rows or write.mails for write in outcome.taking_part):
            self._wake.publish()

    def _answer_others(self, outcome: Outcome) -> None:
        """Those of a batch that its transaction was not about."""
        for write in outcome.duplicates:
            self._answer(write, DuplicateCommand())
        for write in outcome.busy:  # another process commits this key right now: try again behind the others
            self._waiting.append((write, self._answers.pop(id(write))))

    async def _after_refusal(self, batch: Sequence[Write], error: Exception, tries: int) -> None:
        """The transaction certainly rolled back and the connection stands."""
        if len(batch) > 1:
            return await self._halve(batch)
        if isinstance(error, asyncpg.PostgresError) and error.sqlstate in _TRANSIENT and tries > 1:
            return await self._settle(batch, tries - 1)
        self._answer(batch[0], self._translated(error))
        return None

    async def _after_loss(self, batch: Sequence[Write], lost: _Lost, tries: int) -> None:
        if lost.outcome:
            fate = await self._fate(lost.xid, lost.outcome)
            if fate == "committed":
                return self._done(lost.outcome)
            if fate != "aborted":
                self._answer_all(lost.outcome.taking_part, OutcomeUnknown())
                return self._answer_others(lost.outcome)
        if not await self._connected():
            return self._answer_all(batch, Unavailable(retry_after=1))
        if len(batch) > 1:
            return await self._halve(batch)
        if tries > 1 and not lost.outcome:
            return await self._settle(batch, tries - 1)
        return self._answer(batch[0], Unavailable(retry_after=1))

    async def _halve(self, batch: Sequence[Write]) -> None:
        middle = len(batch) // 2
        await self._settle(batch[:middle])
        await self._settle(batch[middle:])

    async def _commit(self, batch: Sequence[Write]) -> Outcome:
        """One transaction. Raises _Lost when the connection went, else what rolled it back."""
        xid: str | None = None
        outcome: Outcome | None = None
        committing = False
        try:
            async with asyncio.timeout(STATEMENT_SECONDS):
                db = self._db = self._db if self._db and not self._db.is_closed() else await self._connect()
                await db.execute("BEGIN")
                xid, active = await self._transaction.begin(db)
                outcome = await self._transaction.fill(db, batch, active)
                committing = True
                answer = asyncio.ensure_future(db.execute("COMMIT"))
                await asyncio.sleep(0)  # it is on its way now, which is what the crash point is about
                failpoint("append.inside_commit")
                await answer
                failpoint("append.after_commit")
                return outcome
        except BaseException as error:
            if await self._rolled_back(error, committing=committing):
                raise
            raise _Lost(xid, outcome if committing else None) from error

    async def _rolled_back(self, error: BaseException, *, committing: bool) -> bool:
        """Whether the connection still stands and is outside any transaction.

        asyncpg raises many classes after a kill, `InternalClientError` among them, so what counts is not the class but whether the
        connection still answers. An error that the server itself sent in answer to COMMIT is a rollback.
        """
        db = self._db
        server_said = isinstance(error, asyncpg.PostgresError) and (error.sqlstate or "")[:2] not in {"", "08", "57"}
        if db and not db.is_closed() and (server_said or not committing) and not isinstance(error, TimeoutError):
            with contextlib.suppress(Exception):
                async with asyncio.timeout(STATEMENT_SECONDS):
                    await db.execute("ROLLBACK")
                    return True
        if db:
            db.terminate()
        self._db = None
        return False

    async def _connected(self) -> bool:
        try:
            async with asyncio.timeout(STATEMENT_SECONDS):
                self._db = await self._connect()
        except Exception:  # noqa: BLE001  # a server that is half up makes asyncpg raise what it documents nowhere
            return False
        return True

    async def _fate(self, xid: str | None, outcome: Outcome) -> str | None:
        """What became of a transaction whose COMMIT was not answered; None when nobody could be asked in time."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(_ASK_SECONDS):
                while True:
                    fate = await self._ask(xid, outcome)
                    if fate != "in progress":
                        return fate
                    await asyncio.sleep(0.05)
        return None

    async def _ask(self, xid: str | None, outcome: Outcome) -> str | None:
        row = next((row for write in outcome.taking_part for row in write.rows), None)
        key = next((write.idempotency for write in outcome.taking_part if write.idempotency), None)
        evidence = (row and row.stream_id, row and row.version, row and row.hash, key and key.scope, key and key.key)
        while True:
            try:
                db = await self._connect()
            except Exception:  # noqa: BLE001  # as in _connected
                await asyncio.sleep(0.2)  # it is starting again
                continue
            try:
                [(status, there)] = await db.fetch(_FATE, xid, *evidence)
                return "aborted" if status == "committed" and not there else status
            finally:
                db.terminate()

    def _translated(self, error: Exception) -> Exception:
        if isinstance(error, asyncpg.UniqueViolationError):
            refusal = self._refusals.get(re.sub(r"_v\d+", "", error.constraint_name or "", count=1))
            if refusal:
                return refusal()
        if isinstance(error, Refusal):
            return error
        if isinstance(error, asyncpg.PostgresError) and (error.sqlstate or "")[:2] not in {"22", "23"}:
            unavailable = Unavailable(retry_after=1)
            unavailable.__cause__ = error
            return unavailable
        return error

    def _give_up(self) -> None:
        """Answer what is left of a batch whose outcome nobody knows."""
        left, self._answers = self._answers, {}
        self._keyed = {key: future for key, future in self._keyed.items() if future not in left.values()}
        for future in left.values():
            if not future.done():
                future.set_exception(OutcomeUnknown())

    def _answer_all(self, batch: Sequence[Write], error: Exception) -> None:
        for write in batch:
            self._answer(write, error)

    def _answer(self, write: Write, error: Exception | None) -> None:
        future = self._answers.pop(id(write))
        key = write.idempotency
        if key and self._keyed.get((key.scope, key.key)) is future:
            del self._keyed[key.scope, key.key]
        if future.done():  # its caller was cancelled
            return
        if error:
            future.set_exception(error)
        else:
            future.set_result(None)
