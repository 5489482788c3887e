"""Which errors mean "not now" and which mean "never": the first hold a partition back, the second put one event aside."""

import asyncio

import asyncpg
from aiokafka.errors import KafkaError

# Classes of SQLSTATE that speak of the database and not of the event: connection, rolled back by contention, resources,
# object not in the right state, operator, system; and those that say the schema is not what the code expects. The latter
# would befall every event alike, so waiting for the migration is right and putting everything aside is not.
_NOT_NOW = frozenset({"08", "25", "28", "3D", "3F", "40", "42", "53", "55", "57", "58", "XX"})


class Moved(Exception):
    """The checkpoint is not where this consumer left it, or the record that came is not the one that follows."""


class TooManyParked(Exception):
    """More was put aside than the policy allows: something is wrong with all events, so the consumer waits and says so."""


class NotYet(Exception):
    """Raised by a handler or a reaction to be called again later; the partition waits, and nothing is put aside."""


def is_transient(error: BaseException) -> bool:
    """True when the same event may succeed later without anybody changing it."""
    if isinstance(error, asyncpg.PostgresError):
        return (getattr(error, "sqlstate", None) or "XX")[:2] in _NOT_NOW
    if isinstance(error, asyncpg.InterfaceError):
        # asyncpg calls a value that cannot be encoded an interface error too, and that one never fits.
        return not isinstance(error, ValueError)
    return isinstance(error, asyncpg.InternalClientError | KafkaError | OSError | asyncio.TimeoutError | NotYet | TooManyParked | Moved)
