"""Records of Kafka and of the parked table, read into arrivals: never raises, what cannot be read carries its reason."""

from hashlib import sha256

from latchkey.consumer.plan import Arrival, Place, Reason
from latchkey.envelope import MAX_BYTES, BadEnvelope, UnknownMajorVersion, decode


def arrival(place: Place, raw: bytes | None) -> Arrival:
    """Read one record's value. A record without a value is unreadable: the event topics hold no tombstones."""
    value = raw or b""
    if len(value) > MAX_BYTES:
        return Arrival(place, value, None, Reason.TOO_LARGE, f"{len(value)} bytes")
    try:
        return Arrival(place, value, decode(value))
    except UnknownMajorVersion as error:
        return Arrival(place, value, None, Reason.UNKNOWN_VERSION, str(error))
    except BadEnvelope as error:
        return Arrival(place, value, None, Reason.UNREADABLE, str(error))


def digest(raw: bytes | None) -> bytes:
    """SHA-256 of a record's value, by which it is recognised."""
    return sha256(raw or b"").digest()
