"""The transactions themselves, one row each, partitioned by the month in which they happened."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final

import asyncpg

from services.metrics.domain.events import TransactionRecorded, TransactionStatusChanged
from services.metrics.domain.statuses import Status
from shared.store.records import Recorded

_INSERT: Final = """
INSERT INTO transactions{suffix} (app_id, occurred_at, stream_id, environment, transaction_id, pair_id, amount, currency,
    payment_mode, payment_gateway, reference, status, provider_status, updated_at, version)
SELECT app_id, occurred_at, stream_id, environment, transaction_id, pair_id, amount, currency, payment_mode, payment_gateway, reference,
    status, provider_status, updated_at, version FROM unnest($1::transactions{suffix}[])
ON CONFLICT DO NOTHING
"""
_MOVE: Final = """
UPDATE transactions{suffix} t SET status = m.status, provider_status = m.provider_status, updated_at = m.updated_at, version = m.version
FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::int[])
    AS m (app_id, occurred_at, stream_id, status, provider_status, updated_at, version)
WHERE t.app_id = m.app_id AND t.occurred_at = m.occurred_at AND t.stream_id = m.stream_id
"""


@dataclass(slots=True)
class _Standing:
    status: Status
    provider_status: str | None
    updated_at: datetime
    version: int


class Transactions:
    """See View. The row of a transaction is found by app, time and stream, which is also the order in which lists and files read it."""

    name: ClassVar[str] = "transactions"
    shape: ClassVar[int] = 1
    names: ClassVar[Sequence[str]] = ("transactions",)

    def tables(self, suffix: str) -> str:
        """A partition for each of the last 24 months and the next three, and one for all other times."""
        return f"""
            CREATE TABLE transactions{suffix} (
                app_id text NOT NULL, occurred_at timestamptz NOT NULL, stream_id text NOT NULL, environment text NOT NULL,
                transaction_id text COLLATE "C" NOT NULL, pair_id text NOT NULL,
                amount numeric NOT NULL, currency text NOT NULL, payment_mode text, payment_gateway text, reference text,
                status text NOT NULL, provider_status text, updated_at timestamptz NOT NULL,
                version int NOT NULL, PRIMARY KEY (app_id, occurred_at, stream_id)
            ) PARTITION BY RANGE (occurred_at);
            CREATE TABLE transactions{suffix}_other PARTITION OF transactions{suffix} DEFAULT;
            SELECT make_transaction_partitions(24, 3);
        """

    def indexes(self, suffix: str) -> str:
        """For the search by the caller's id."""
        return f"CREATE INDEX transactions{suffix}_search ON transactions{suffix} (app_id, transaction_id)"

    async def apply(self, db: asyncpg.Connection, suffix: str, events: Sequence[Recorded[Any]]) -> None:
        """See View."""
        standing: dict[str, _Standing] = {}
        new: list[Recorded[TransactionRecorded]] = []
        moved: dict[str, Recorded[TransactionStatusChanged]] = {}
        for recorded in events:
            event = recorded.event
            if isinstance(event, TransactionRecorded):
                new.append(recorded)
            elif isinstance(event, TransactionStatusChanged):
                moved[recorded.stream_id] = recorded
            else:
                continue
            standing[recorded.stream_id] = _Standing(event.status, event.provider_status, recorded.recorded_at, recorded.version)
        for one in new:
            moved.pop(one.stream_id, None)
        if new:
            await db.execute(_INSERT.format(suffix=suffix), [_new_row(one, standing[one.stream_id]) for one in new])
        if moved:
            await db.execute(_MOVE.format(suffix=suffix), *_columns(sorted(_move_row(one) for one in moved.values())))


def _columns(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    return list(map(list, zip(*rows, strict=True)))


def _new_row(one: Recorded[TransactionRecorded], now: _Standing) -> tuple[Any, ...]:
    """All columns in the table's order: rows as one array cost the driver less than an array a column."""
    e = one.event
    return (
        e.app_id, e.occurred_at, one.stream_id, e.environment, e.transaction_id, e.pair_id, e.amount, e.currency,
        e.payment_mode, e.payment_gateway, e.reference, now.status, now.provider_status, now.updated_at, now.version,
    )  # fmt: skip


def _move_row(one: Recorded[TransactionStatusChanged]) -> tuple[Any, ...]:
    e = one.event
    return e.app_id, e.occurred_at, one.stream_id, e.status, e.provider_status, one.recorded_at, one.version
