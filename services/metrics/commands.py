"""What metrics can be told to do. One method, one append."""

import asyncio
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from pydantic_core import to_json

from services.metrics.domain import refusals, transaction
from services.metrics.domain.events import RefusalEvent, TransactionEvent
from services.metrics.domain.refusals import Refusals
from services.metrics.domain.statuses import Status
from services.metrics.domain.transaction import Details, Key, Transaction
from shared.errors import Refusal
from shared.ids import derived_id
from shared.store.aggregates import BREATH, Aggregates, Decided, Part, decide_together
from shared.store.records import Context

Fields = Mapping[str, Any]


class Told(NamedTuple):
    """A transaction to record: the caller's fields exactly as sent, and what they mean."""

    fields: Fields
    details: Details


class Outcome(NamedTuple):
    """What became of one transaction: recorded now, there already with the same fields, or refused. `now` is None when it was refused."""

    recorded: bool
    refusal: Refusal | None
    now: Decided[Transaction] | None


@dataclass(slots=True)
class _Attempts:
    """All that one request tells of one transaction, decided one after another as if sent one after another: the first one wins."""

    key: Key
    now: datetime
    told: list[tuple[int, Details, str]] = field(default_factory=list)
    found: dict[int, bool | Refusal] = field(default_factory=dict)

    def __call__(self, state: Transaction) -> list[TransactionEvent]:
        events: list[TransactionEvent] = []
        for place, details, fingerprint in self.told:
            try:
                decided = transaction.record(state, details, key=self.key, fingerprint=fingerprint, now=self.now)
            except Refusal as refusal:
                self.found[place] = refusal
                continue
            self.found[place] = bool(decided)
            for event in decided:
                state = transaction.evolve(state, event)
            events += decided
        return events


class TransactionCommands:
    """What metrics can be told about transactions."""

    def __init__(
        self, transactions: Aggregates[Transaction, TransactionEvent], refused: Aggregates[Refusals, RefusalEvent], fingerprint_key: bytes
    ) -> None:
        self._transactions, self._refused, self._fingerprint_key = transactions, refused, fingerprint_key

    async def record(self, told: Sequence[Told], key: Key, context: Context) -> list[Outcome]:
        """Record one or many, each for itself, in one append; durable when this returns. What is refused costs only itself."""
        if not told:
            return []
        attempts: dict[str, _Attempts] = {}
        for place, one in enumerate(told):
            stream = _stream(key, one.details.transaction_id)
            attempt = attempts.get(stream) or attempts.setdefault(stream, _Attempts(key, context.now))
            attempt.told.append((place, one.details, self._fingerprint(one.fields)))
            if place % BREATH == BREATH - 1:
                await asyncio.sleep(0)
        parts = [Part(self._transactions, stream, attempt) for stream, attempt in attempts.items()]
        decided = await decide_together(parts, context)
        outcomes: dict[int, Outcome] = {}
        for attempt, now in zip(attempts.values(), decided, strict=True):
            for place, found in attempt.found.items():
                outcomes[place] = Outcome(False, found, None) if isinstance(found, Refusal) else Outcome(found, None, now)
        return [outcomes[place] for place in range(len(told))]

    async def move(
        self, transaction_id: str, key: Key, context: Context, *, status: Status, provider_status: str | None
    ) -> Decided[Transaction]:
        """Move a transaction's status forward."""
        decision = partial(transaction.move, status=status, provider_status=provider_status)
        return await self._transactions.decide(_stream(key, transaction_id), decision, context)

    async def refuse(self, key: Key, context: Context, *, origin: str) -> None:
        """Keep for the owner that a secret key was used in a browser."""
        stream = derived_id("rf", key.app_id, key.environment, key.pair_id)
        await self._refused.decide(stream, partial(refusals.refuse, key=key, origin=origin, now=context.now), context)

    def _fingerprint(self, fields: Fields) -> str:
        """An HMAC of the fields whatever their order; a null says the same as nothing."""
        items = sorted(fields.items())
        canonical = to_json([item for item in items if item[1] is not None] if None in fields.values() else items)
        return hmac.digest(self._fingerprint_key, canonical, "sha256").hex()


def _stream(key: Key, transaction_id: str) -> str:
    """Never of the key itself, so that a retry after a rotation meets itself."""
    return derived_id("tx", key.app_id, key.environment, transaction_id)
