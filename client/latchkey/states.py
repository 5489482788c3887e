"""Records of compacted topics: the whole public state of one stream after one version, or a tombstone at its end."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_MAX_POSITION_DIGITS: Final = 19
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)  # `json.dumps` would make one each time


class BadState(ValueError):
    """The bytes are no state record of ours."""


@dataclass(frozen=True, slots=True)
class StateRecord:
    """The state of a stream. A reader ignores a record whose `streamversion` is at or below the one it holds for that stream."""

    kind: str
    stream_id: str
    streamversion: int
    globalposition: int | None
    data: Mapping[str, Any]


def encode_state(kind: str, stream_id: str, streamversion: int, data: Mapping[str, Any]) -> str:
    """Write a state record without its position, ready to be spliced as an event is. `data` must be plain JSON."""
    record = {"kind": kind, "subject": stream_id, "streamversion": streamversion, "data": data}
    return _ENCODER.encode(record)


def decode_state(raw: bytes | None) -> StateRecord | None:
    """Read a state record; `None`, as Kafka gives for a tombstone, is `None`. Raises `BadState`."""
    if raw is None:
        return None
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BadState(f"no JSON: {error}") from error
    match document:
        case {"kind": str(kind), "subject": str(stream_id), "streamversion": int(version), "data": dict(data)} if version >= 1:
            return StateRecord(kind, stream_id, version, _position(document.get("globalposition")), data)
        case _:
            raise BadState("kind, subject, streamversion or data is missing or of another type")


def _position(text: object) -> int | None:
    match text:
        case None:
            return None
        case str() if text.isascii() and text.isdigit() and len(text) <= _MAX_POSITION_DIGITS:
            return int(text)
        case _:
            raise BadState("globalposition is no decimal text of 64 bits")
