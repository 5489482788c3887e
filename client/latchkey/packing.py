"""A ring as few bytes, for a process that holds very many; what is written here never leaves the process.

A head (version, number of pairs, flags), for each pair both digests and its status, then lines of text: the ring's id, its app and tenant,
and for each pair its id, its lineage and, as JSON, what restricts it. Python hands out memory in steps of 16 bytes and needs 33 for the
object: a ring with one pair is an object of 240 bytes, where records and dicts take 1,350.
"""

import json
from datetime import datetime
from struct import Struct
from typing import Any, Final

from latchkey.keyformat import Environment
from latchkey.rings import PairRecord, PairStatus, RingRecord

_HEAD: Final = Struct(">QB")  # the version and the number of pairs in one, the flags
_MOST_PAIRS: Final = 1 << 16
_COUNT: Final = slice(6, 8)  # of the head
_LIVE, _SUSPENDED = 1, 2
_PAIR: Final = 65
STATUSES: Final = tuple(PairStatus)
"""A status is written as its place here."""


def pack(ring: RingRecord) -> bytes:
    """Write a ring; `unpack` gives an equal one. Raises `ValueError` for one of 65,536 pairs."""
    if len(ring.pairs) >= _MOST_PAIRS:
        raise ValueError("no ring has so many pairs")
    first = ring.pairs[0] if ring.pairs else None
    flags = 0 if first is None else _LIVE * (first.environment == Environment.LIVE) + _SUSPENDED * first.suspended
    lines = [ring.ring_id] if first is None else [ring.ring_id, first.app_id, first.tenant]
    for pair in ring.pairs:
        lines += (pair.pair_id, pair.lineage_id, _rules(pair))
    fixed = b"".join(pair.public_digest + pair.secret_digest + bytes([STATUSES.index(pair.status)]) for pair in ring.pairs)
    return _HEAD.pack(ring.streamversion * _MOST_PAIRS + len(ring.pairs), flags) + fixed + "\n".join(lines).encode()


def unpack(packed: bytes) -> RingRecord:
    """Read what `pack` wrote."""
    numbers, flags = _HEAD.unpack_from(packed)
    version, count = divmod(numbers, _MOST_PAIRS)
    text = _HEAD.size + count * _PAIR
    ring_id, *lines = packed[text:].decode().split("\n")
    shared = (ring_id, flags, *lines[:2])
    pairs = (_pair(shared, packed[_HEAD.size + n * _PAIR :][:_PAIR], *lines[2 + 3 * n : 5 + 3 * n]) for n in range(count))
    return RingRecord(ring_id, version, tuple(pairs))


def handles(packed: bytes) -> tuple[bytes, list[bytes]]:
    """What a packed ring is found by, without unpacking it: its id in UTF-8, and both digests of each pair."""
    text = _HEAD.size + _PAIR * int.from_bytes(packed[_COUNT])
    end = packed.find(b"\n", text)
    digests = [packed[at : at + 32] for pair in range(_HEAD.size, text, _PAIR) for at in (pair, pair + 32)]
    return packed[text : None if end < 0 else end], digests


def _pair(shared: Any, fixed: bytes, pair_id: str, lineage_id: str, rules: str) -> PairRecord:
    ring_id, flags, app_id, tenant = shared
    valid_until, expires_at, scopes, origins, ips = json.loads(rules) if rules else _UNRESTRICTED
    return PairRecord(
        ring_id, pair_id, app_id, tenant, Environment.LIVE if flags & _LIVE else Environment.TEST, fixed[:32], fixed[32:64],
        STATUSES[fixed[64]], lineage_id, _moment(valid_until), _moment(expires_at), frozenset(scopes), frozenset(origins), frozenset(ips),
        bool(flags & _SUSPENDED),
    )  # fmt: skip


def _rules(pair: PairRecord) -> str:
    rules = (_text(pair.valid_until), _text(pair.expires_at), *map(sorted, (pair.scopes, pair.allowed_origins, pair.allowed_ips)))
    return json.dumps(rules, separators=(",", ":")) if any(rules) else ""


_UNRESTRICTED: Final = (None, None, (), (), ())


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
