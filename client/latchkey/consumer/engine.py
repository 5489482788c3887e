"""One batch of one partition: the version rule, the effect and the checkpoint, so that each event takes effect once."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from latchkey.consumer.faults import TooManyParked, is_transient
from latchkey.consumer.handling import Handler, Reactor
from latchkey.consumer.ledger import Held, Ledger, Outcome
from latchkey.consumer.plan import Arrival, Parking, Place, Plan, Reason, Step, make_plan
from latchkey.consumer.policy import Policy, Status
from latchkey.consumer.reading import arrival as read
from latchkey.consumer.tables import borrowed
from latchkey.envelope import Envelope
from latchkey.failpoint import failpoint

_log = logging.getLogger("latchkey.consumer")
_Act = Callable[[Envelope], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Work:
    """What came in for a partition, and where it is afterwards. `retried` are places whose records are tried again as if they came in."""

    held: Held
    arrivals: Sequence[Arrival]
    after: Held
    wanted: Sequence[str] = ()
    retried: frozenset[Place] = frozenset()

    @property
    def at(self) -> int | None:
        """Where the partition has to be for this work: anywhere when it only brings back what was put aside, which moves nothing, so that
        a busy partition does not keep it from being done."""
        return None if self.after is self.held else self.held.next_offset


class Engine:
    """Carries out work. A handler's effect commits with the checkpoint; a reactor's was made before, at least once."""

    def __init__(self, pool: asyncpg.Pool, ledger: Ledger, handler: Handler | Reactor, policy: Policy, status: Status) -> None:
        self._pool, self._ledger, self._handler, self._policy, self._status = pool, ledger, handler, policy, status
        self._turns: dict[tuple[str, int], asyncio.Lock] = {}

    async def run(self, work: Work) -> None:
        """Do the work, whole or not at all. Raises transient errors and `Moved`; an event that can never succeed is put aside."""
        failpoint("consumer.before_transaction")
        # What comes from the topic and what comes back from being put aside must not overtake each other within a partition.
        async with self._turns.setdefault((work.held.source, work.held.partition), asyncio.Lock()):
            if isinstance(self._handler, Reactor):
                outcome, plan = await self._react(work, self._handler)
            else:
                outcome, plan = await self._project(work, self._handler)
        failpoint("consumer.after_transaction")
        if outcome.park:
            # The reason and the place only: an error may repeat what somebody wrote.
            first = outcome.park[0]
            _log.warning(
                "%s put %d record(s) aside, the first as %s at %s", self._ledger.name, len(outcome.park), first.reason, first.arrival.place
            )
        self._status.applied += outcome.applied
        self._status.duplicates += plan.duplicates
        self._status.unknown += plan.unknown

    async def _project(self, work: Work, handler: Handler) -> tuple[Outcome, Plan]:
        try:
            return await self._project_together(work, handler)
        except Exception as error:
            if is_transient(error):
                raise
        # One of them can never succeed: the transaction is gone, so all are done again with a savepoint around each.
        async with self._transaction() as db:
            await self._ledger.enter(db, work.held, work.at)
            plan = await self._plan(db, work)
            outcome = Outcome(park=list(plan.park))
            blocked: set[str] = set()
            for step, event in await self._events(db, work.held.source, plan.steps):
                await self._one(step, event, outcome, blocked, _saved(db, handler))
            await self._finish(db, work, outcome)
        return outcome, plan

    async def _project_together(self, work: Work, handler: Handler) -> tuple[Outcome, Plan]:
        async with self._transaction() as db:
            await self._ledger.enter(db, work.held, work.at)
            plan = await self._plan(db, work)
            outcome = Outcome(park=list(plan.park))
            events = await self._events(db, work.held.source, plan.steps)
            known = [_readable(event) for _, event in events if event is None or event.data is not None]
            if known:
                await handler.apply(db, known)
            for step, _ in events:
                _applied(outcome, step)
            await self._finish(db, work, outcome)
        return outcome, plan

    async def _react(self, work: Work, reactor: Reactor) -> tuple[Outcome, Plan]:
        async with self._transaction() as db:
            at = await self._ledger.enter(db, work.held, work.at)
            plan = await self._plan(db, work)
            events = await self._events(db, work.held.source, plan.steps)
            outcome = Outcome(park=list(plan.park))
            if not any(event is None or reactor.reacts_to(event) for _, event in events):
                # Most events are of a type that nothing reacts to: one transaction is enough for them.
                for step, _ in events:
                    _applied(outcome, step)
                await self._finish(db, work, outcome)
                return outcome, plan
        streams: dict[str, list[tuple[Step, Envelope | None]]] = {}
        for step, event in events:
            streams.setdefault(step.stream_id, []).append((step, event))
        slots = asyncio.Semaphore(self._policy.concurrency)

        async def react(event: Envelope) -> None:
            async with asyncio.timeout(self._policy.transaction_seconds):
                await reactor.react(event)

        async def one_stream(steps: list[tuple[Step, Envelope | None]]) -> None:
            blocked: set[str] = set()
            async with slots:
                for step, event in steps:
                    await self._one(step, event, outcome, blocked, react)

        failures = [error for error in await asyncio.gather(*map(one_stream, streams.values()), return_exceptions=True) if error]
        if failures:
            raise failures[0]
        async with self._transaction() as db:
            await self._ledger.enter(db, work.held, at)
            await self._finish(db, work, outcome)
        return outcome, plan

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[asyncpg.Connection]:
        async with borrowed(self._pool, self._policy.transaction_seconds) as db, db.transaction():
            yield db

    async def _plan(self, db: asyncpg.Connection, work: Work) -> Plan:
        ids = {arrival.envelope.subject for arrival in work.arrivals if arrival.envelope is not None}
        seen, parked = await self._ledger.streams(db, sorted(ids.union(work.wanted)))
        free = work.held.declared or self._policy.began_from_snapshot
        return make_plan(work.arrivals, seen, parked, first_sight_at_any_version=free, wanted=work.wanted)

    async def _events(self, db: asyncpg.Connection, source: str, steps: Sequence[Step]) -> list[tuple[Step, Envelope | None]]:
        places = [step.parked for step in steps if step.parked is not None]
        raws = await self._ledger.raws(db, source, places) if places else {}
        came = ((step, step.arrival if step.parked is None else read(step.parked, raws.get(step.parked))) for step in steps)
        return [(step, None if arrival is None else arrival.envelope) for step, arrival in came]

    async def _one(self, step: Step, event: Envelope | None, outcome: Outcome, blocked: set[str], act: _Act) -> None:
        """Act on one event; a permanent error puts it aside with all later ones of its stream, and the others go on."""
        if step.stream_id in blocked:
            if step.arrival is not None:
                outcome.park.append(Parking(step.arrival, Reason.BEHIND, "an earlier event of the stream failed"))
            return
        try:
            if _readable(event).data is not None:
                await act(_readable(event))
        except Exception as error:
            if is_transient(error):
                raise
            blocked.add(step.stream_id)
            sentence = f"{type(error).__name__}: {error}"
            if step.arrival is not None:
                outcome.park.append(Parking(step.arrival, Reason.FAILED, sentence))
            elif step.parked is not None:
                outcome.failed_again.append((step.parked, sentence))
        else:
            _applied(outcome, step)

    async def _finish(self, db: asyncpg.Connection, work: Work, outcome: Outcome) -> None:
        parked_again = {parking.arrival.place for parking in outcome.park}
        outcome.unpark.extend(work.retried - parked_again)
        if outcome.park and await self._ledger.parked_count(db) + len(outcome.park) > self._policy.max_parked:
            raise TooManyParked(f"{self._ledger.name} has put {self._policy.max_parked} records aside and waits for somebody to look")
        await self._ledger.write(db, work.after, outcome, moves=work.at is not None)
        failpoint("consumer.in_transaction")


def _readable(event: Envelope | None) -> Envelope:
    if event is None:
        raise ValueError("what was put aside cannot be read any more")
    return event


def _saved(db: asyncpg.Connection, handler: Handler) -> _Act:
    async def act(event: Envelope) -> None:
        async with db.transaction():
            await handler.apply(db, [event])

    return act


def _applied(outcome: Outcome, step: Step) -> None:
    outcome.versions[step.stream_id] = step.version
    outcome.applied += 1
    if step.parked is not None:
        outcome.unpark.append(step.parked)
