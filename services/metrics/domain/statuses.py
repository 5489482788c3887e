"""The statuses of a transaction and the one table of moves between them."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Status(StrEnum):
    """Where a transaction stands. Any may be the first, because history is imported."""

    CREATED = "created"
    PENDING = "pending"
    AUTHORIZED = "authorized"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"
    PARTIALLY_REFUNDED = "partially_refunded"
    DISPUTED = "disputed"


_PAID: Final = frozenset({Status.PARTIALLY_REFUNDED, Status.REFUNDED, Status.DISPUTED})
_DECIDED: Final = frozenset({Status.SUCCEEDED, Status.FAILED, Status.CANCELLED}) | _PAID

# Forward, also over steps that nobody told us of. Failed, cancelled and refunded are the end.
MOVES: Final[Mapping[Status, frozenset[Status]]] = {
    Status.CREATED: frozenset({Status.PENDING, Status.AUTHORIZED}) | _DECIDED,
    Status.PENDING: frozenset({Status.AUTHORIZED}) | _DECIDED,
    Status.AUTHORIZED: _DECIDED,
    Status.SUCCEEDED: _PAID,
    Status.PARTIALLY_REFUNDED: frozenset({Status.REFUNDED, Status.DISPUTED}),
    Status.DISPUTED: frozenset({Status.SUCCEEDED, Status.REFUNDED}),
    Status.FAILED: frozenset(),
    Status.CANCELLED: frozenset(),
    Status.REFUNDED: frozenset(),
}


def may_move(present: Status, wanted: Status) -> bool:
    """Whether a transaction may go from one status to another one."""
    return wanted in MOVES[present]
