"""Roll-ups: counts and amounts per 15 minutes, and per day of UTC with what the day had when it closed.

A cell is one app, time, environment, status, currency, payment mode and pair. A move of a status takes the transaction out of one cell
and puts it into another of the same time, so the sum of cells always equals a recount, also for what arrives late.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar, Final

import asyncpg

from services.metrics.domain.events import TransactionRecorded, TransactionStatusChanged
from services.metrics.domain.statuses import Status
from shared.store.records import Recorded

NO_MODE: Final = ""  # a primary key has no nulls
_DAY: Final = timedelta(days=1)
_KEY: Final = """
    app_id text NOT NULL, start timestamptz NOT NULL, environment text NOT NULL, status text NOT NULL, currency text NOT NULL,
    payment_mode text NOT NULL, pair_id text NOT NULL, count bigint NOT NULL, amount numeric NOT NULL,
"""
_PRIMARY: Final = "PRIMARY KEY (app_id, start, environment, status, currency, payment_mode, pair_id)"
_NAMES: Final = "app_id, start, environment, status, currency, payment_mode, pair_id, count, amount"
_ARRAYS: Final = "$1::text[], $2::timestamptz[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::numeric[]"
_ADD: Final = "count = cell.count + excluded.count, amount = cell.amount + excluded.amount"
_CONFLICT: Final = "ON CONFLICT (app_id, start, environment, status, currency, payment_mode, pair_id) DO UPDATE SET"

_Key = tuple[str, datetime, str, str, str, str, str]


class Rollups:
    """See View: a cell per 15 minutes, from which the days of every time zone add up exactly."""

    name: ClassVar[str] = "rollups"
    shape: ClassVar[int] = 1
    names: ClassVar[Sequence[str]] = ("rollups",)

    def tables(self, suffix: str) -> str:
        """See View."""
        return f"CREATE TABLE rollups{suffix} ({_KEY} {_PRIMARY})"

    def indexes(self, suffix: str) -> str:
        """The primary key serves every query; the planner needs to know its rows."""
        return f"ANALYZE rollups{suffix}"

    async def apply(self, db: asyncpg.Connection, suffix: str, events: Sequence[Recorded[Any]]) -> None:
        """See View."""
        cells: dict[_Key, list[Any]] = {}
        for key, _, count, amount in changes(events, quarter):
            cell = cells.setdefault(key, [0, Decimal(0)])
            cell[0] += count
            cell[1] += amount
        if cells:
            await db.execute(
                f"INSERT INTO rollups{suffix} AS cell ({_NAMES}) SELECT * FROM unnest({_ARRAYS}) {_CONFLICT} {_ADD}",
                *_columns(cells),
            )


class Daily:
    """See View: a cell per day of UTC. `reported_…` is what was known of the day when it closed, whatever arrived or moved since."""

    name: ClassVar[str] = "daily"
    shape: ClassVar[int] = 1
    names: ClassVar[Sequence[str]] = ("daily",)

    def tables(self, suffix: str) -> str:
        """See View."""
        return f"CREATE TABLE daily{suffix} ({_KEY} reported_count bigint NOT NULL, reported_amount numeric NOT NULL, {_PRIMARY})"

    def indexes(self, suffix: str) -> str:
        """The primary key serves every query; the planner needs to know its rows."""
        return f"ANALYZE daily{suffix}"

    async def apply(self, db: asyncpg.Connection, suffix: str, events: Sequence[Recorded[Any]]) -> None:
        """See View."""
        cells: dict[_Key, list[Any]] = {}
        for key, recorded_at, count, amount in changes(events, day):
            cell = cells.setdefault(key, [0, Decimal(0), 0, Decimal(0)])
            cell[0] += count
            cell[1] += amount
            if recorded_at < key[1] + _DAY:
                cell[2] += count
                cell[3] += amount
        if cells:
            await db.execute(
                f"""INSERT INTO daily{suffix} AS cell ({_NAMES}, reported_count, reported_amount)
                SELECT * FROM unnest({_ARRAYS}, $10::bigint[], $11::numeric[]) {_CONFLICT} {_ADD},
                reported_count = cell.reported_count + excluded.reported_count,
                reported_amount = cell.reported_amount + excluded.reported_amount""",
                *_columns(cells),
            )


def quarter(moment: datetime) -> datetime:
    """The quarter of an hour that a moment is in."""
    return moment.replace(minute=moment.minute - moment.minute % 15, second=0, microsecond=0)


def day(moment: datetime) -> datetime:
    """The day of UTC that a moment is in."""
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def changes(events: Sequence[Recorded[Any]], start: Any) -> Iterator[tuple[_Key, datetime, int, Decimal]]:
    """What each event adds to which cell, and when it was recorded; `start` gives a cell's time for a moment in UTC."""
    for recorded in events:
        event = recorded.event
        if isinstance(event, TransactionRecorded):
            yield _key(event, start, event.status), recorded.recorded_at, 1, event.amount
        elif isinstance(event, TransactionStatusChanged) and event.status is not event.previous_status:
            yield _key(event, start, event.previous_status), recorded.recorded_at, -1, -event.amount
            yield _key(event, start, event.status), recorded.recorded_at, 1, event.amount


def _key(event: TransactionRecorded | TransactionStatusChanged, start: Any, status: Status) -> _Key:
    mode = event.payment_mode or NO_MODE
    return event.app_id, start(event.occurred_at), event.environment, status, event.currency, mode, event.pair_id


def _columns(cells: dict[_Key, list[Any]]) -> list[list[Any]]:
    """The cells in the order of their primary key, so that two writers never wait for each other in a circle."""
    return list(map(list, zip(*((*key, *cells[key]) for key in sorted(cells)), strict=True)))
