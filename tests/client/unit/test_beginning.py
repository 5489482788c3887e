"""Where a partition is taken up, and which errors hold it back."""

from dataclasses import replace

import asyncpg
import pytest
from aiokafka.errors import KafkaConnectionError
from latchkey.consumer import NotYet, Start
from latchkey.consumer.beginning import begin
from latchkey.consumer.faults import Moved, is_transient
from latchkey.consumer.ledger import Held
from latchkey.consumer.tables import checked_schema
from latchkey.failpoint import FAILPOINTS, failpoint
from latchkey.partitioning import partition_of

NEW = Held("topic", 0, 0, 0, None)
HELD = Held("topic", 0, 2, 10, b"digest", last_position=99)


def test_a_new_consumer_begins_at_the_first_record_or_at_the_end() -> None:
    assert begin(NEW, None, first=0, end=5, start=Start.BEGINNING).held == NEW
    at_end = begin(NEW, None, first=3, end=5, start=Start.END)
    assert (at_end.held.next_offset, at_end.held.declared, at_end.gap) == (5, True, False)


def test_a_topic_whose_first_records_are_gone_has_a_gap() -> None:
    fresh = begin(NEW, None, first=3, end=5, start=Start.BEGINNING)
    assert (fresh.held.next_offset, fresh.gap) == (3, True)
    late = begin(NEW, HELD, first=12, end=20, start=Start.BEGINNING)
    assert (late.held.next_offset, late.held.last_digest, late.gap, late.remade) == (12, None, True, False)


def test_the_record_before_the_checkpoint_is_looked_at_where_it_still_exists() -> None:
    assert begin(NEW, HELD, first=9, end=10, start=Start.BEGINNING).held.verify
    assert not begin(NEW, HELD, first=10, end=12, start=Start.BEGINNING).held.verify
    assert not begin(NEW, replace(HELD, last_digest=None), first=0, end=12, start=Start.BEGINNING).held.verify


def test_an_end_below_the_checkpoint_is_another_topic() -> None:
    found = begin(NEW, HELD, first=0, end=9, start=Start.BEGINNING)
    assert (found.held.topic_epoch, found.held.next_offset, found.remade, found.gap) == (3, 0, True, False)
    assert found.held.last_position == 99


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (asyncpg.SerializationError("x"), True),
        (asyncpg.DeadlockDetectedError("x"), True),
        (asyncpg.AdminShutdownError("x"), True),
        (asyncpg.UndefinedTableError("x"), True),
        (asyncpg.InsufficientPrivilegeError("x"), True),
        (asyncpg.InterfaceError("x"), True),
        (asyncpg.InternalClientError("cannot switch to state 11"), True),
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (KafkaConnectionError(), True),
        (NotYet(), True),
        (Moved(), True),
        (asyncpg.UniqueViolationError("x"), False),
        (asyncpg.NumericValueOutOfRangeError("x"), False),
        (asyncpg.DataError("x"), False),
        (asyncpg.RaiseError("x"), False),
        (KeyError("x"), False),
        (TypeError("x"), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_an_error_means_not_now_or_never(error: Exception, transient: bool) -> None:
    assert is_transient(error) is transient


def test_a_schema_is_a_plain_name() -> None:
    assert checked_schema("latchkey") == "latchkey"
    for name in ("", "a b", 'x"; DROP', "Ä"):
        with pytest.raises(ValueError, match="plain name"):
            checked_schema(name)


def test_a_stream_stays_in_its_partition() -> None:
    # These never change: every event ever published lies where this says.
    assert [partition_of(stream) for stream in ("app_1", "kr_1", "tx_1")] == [1, 5, 2]


def test_a_failpoint_that_is_not_armed_does_nothing() -> None:
    for name in FAILPOINTS:
        failpoint(name)
