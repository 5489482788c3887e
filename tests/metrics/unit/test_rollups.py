"""Roll-ups against a naive recount: whatever happens to transactions, the cells hold what a count of them finds."""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import reduce
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from services.metrics.domain.events import TransactionEvent
from services.metrics.domain.statuses import MOVES, Status
from services.metrics.domain.transaction import Details, Key, Transaction, evolve, move, record
from services.metrics.projections.rollups import changes, day, quarter
from shared.store.records import Meta, Recorded

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
META = Meta("a", "t", "c")
Cell = tuple[Any, ...]

DETAILS = st.builds(
    Details,
    transaction_id=st.just("t"),
    amount=st.decimals(0, 1000, places=2).map(str),
    currency=st.sampled_from(["EUR", "USD"]),
    status=st.sampled_from(list(Status)),
    payment_mode=st.sampled_from([None, "card", "wallet"]),
    occurred_at=st.datetimes(datetime(2026, 11, 21), datetime(2026, 11, 23), timezones=st.just(UTC)),  # noqa: DTZ001  # the bounds take no zone
)
KEYS = st.sampled_from(
    [Key("app_1", environment, pair, "ln", "acc", secret=True) for environment in ("live", "test") for pair in ("kp_1", "kp_2")]
)
HISTORIES = st.lists(st.tuples(DETAILS, KEYS, st.lists(st.integers(0, 8), max_size=4)), max_size=12)


def happened(details: Details, key: Key, picks: list[int]) -> list[TransactionEvent]:
    """A transaction and moves that the table allows, each picked among what is possible then."""
    events = record(Transaction(), details, key=key, fingerprint="fp", now=NOW)
    for pick in picks:
        present = reduce(evolve, events, Transaction())
        allowed = [present.status, *sorted(MOVES[present.status])]
        events = [*events, *move(present, status=allowed[pick % len(allowed)], provider_status=None)]
    return events


@settings(max_examples=25)
@given(HISTORIES)
def test_the_sum_of_changes_equals_the_recount(histories: list[tuple[Details, Key, list[int]]]) -> None:
    streams = [happened(*history) for history in histories]
    log = [
        Recorded(f"tx_{n}", version, event, META, NOW, version)
        for n, stream in enumerate(streams)
        for version, event in enumerate(stream, 1)
    ]
    for start, length in ((quarter, timedelta(minutes=15)), (day, timedelta(days=1))):
        cells: defaultdict[Cell, list[Any]] = defaultdict(lambda: [0, Decimal(0)])
        for key, _, count, amount in changes(log, start):
            cells[key][0] += count
            cells[key][1] += amount
        assert {key: tuple(cell) for key, cell in cells.items() if cell[0]} == recounted(streams, length)
        assert all(cell == [0, 0] for cell in cells.values() if not cell[0])


def recounted(streams: list[list[TransactionEvent]], length: timedelta) -> dict[Cell, tuple[int, Decimal]]:
    """Every transaction where it stands at the end, added up by hand."""
    found: dict[Cell, tuple[int, Decimal]] = {}
    for stream in streams:
        last = reduce(evolve, stream, Transaction())
        first = last.recorded
        assert first is not None
        begins = first.occurred_at - (first.occurred_at - datetime(2026, 1, 1, tzinfo=UTC)) % length
        cell = (first.app_id, begins, first.environment, last.status, first.currency, first.payment_mode or "", first.pair_id)
        count, amount = found.get(cell, (0, Decimal(0)))
        found[cell] = (count + 1, amount + first.amount)
    return found
