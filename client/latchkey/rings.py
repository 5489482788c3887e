"""What a verifier holds of a keyring, and how that is written to and read from the compacted verifier topic. There is no secret in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from latchkey.keyformat import Environment
from latchkey.states import BadState, decode_state, encode_state

KIND: Final = "keys.VerifierRing.v1"


class PairStatus(StrEnum):
    """Where a pair stands. Retiring is within an overlap, retired after it; nothing leaves retired, revoked and expired."""

    ACTIVE = "active"
    RETIRING = "retiring"
    RETIRED = "retired"
    DISABLED = "disabled"
    REVOKED = "revoked"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class PairRecord:
    """All that is needed to judge one of a pair's two keys. Digests are SHA-256 (32 bytes); times carry a zone.

    `valid_until` is the end of an overlap; `allowed_ips` holds addresses and CIDR ranges; empty rules allow every origin and address.
    """

    ring_id: str
    pair_id: str
    app_id: str
    tenant: str
    environment: str
    public_digest: bytes
    secret_digest: bytes
    status: PairStatus
    lineage_id: str
    valid_until: datetime | None = None
    expires_at: datetime | None = None
    scopes: frozenset[str] = frozenset()
    allowed_origins: frozenset[str] = frozenset()
    allowed_ips: frozenset[str] = frozenset()
    suspended: bool = False


@dataclass(frozen=True, slots=True)
class RingRecord:
    """The pairs of one ring after `streamversion`, as `keys.verifier.state.v1` carries them."""

    ring_id: str
    streamversion: int
    pairs: tuple[PairRecord, ...]


def encode_ring(ring: RingRecord) -> str:
    """Write a ring as a state record without its position. All pairs share ring, app, tenant, environment and suspension."""
    first = ring.pairs[0] if ring.pairs else None
    shared = {} if first is None else {name: getattr(first, name) for name in _SHARED}
    return encode_state(KIND, ring.ring_id, ring.streamversion, shared | {"pairs": [_pair_document(pair) for pair in ring.pairs]})


def decode_ring(raw: bytes | None) -> RingRecord | None:
    """Read a ring; a tombstone is `None`. Raises `BadState` when the bytes are no ring."""
    state = decode_state(raw)
    if state is None:
        return None
    try:
        pairs = tuple(_pair(state.stream_id, state.data, pair) for pair in state.data["pairs"])
    except (KeyError, TypeError, ValueError) as error:
        raise BadState(f"no ring: {error!r}") from error
    return RingRecord(state.stream_id, state.streamversion, pairs)


_SHARED: Final = ("app_id", "tenant", "environment", "suspended")


def _pair_document(pair: PairRecord) -> dict[str, Any]:
    return {
        "pair_id": pair.pair_id,
        "public_digest": pair.public_digest.hex(),
        "secret_digest": pair.secret_digest.hex(),
        "status": pair.status,
        "lineage_id": pair.lineage_id,
        "valid_until": None if pair.valid_until is None else pair.valid_until.isoformat(),
        "expires_at": None if pair.expires_at is None else pair.expires_at.isoformat(),
        "scopes": sorted(pair.scopes),
        "allowed_origins": sorted(pair.allowed_origins),
        "allowed_ips": sorted(pair.allowed_ips),
    }


def _pair(ring_id: str, shared: Mapping[str, Any], document: Mapping[str, Any]) -> PairRecord:
    return PairRecord(
        ring_id=ring_id,
        pair_id=document["pair_id"],
        app_id=shared["app_id"],
        tenant=shared["tenant"],
        environment=Environment(shared["environment"]),
        suspended=bool(shared["suspended"]),
        public_digest=bytes.fromhex(document["public_digest"]),
        secret_digest=bytes.fromhex(document["secret_digest"]),
        status=PairStatus(document["status"]),
        lineage_id=document["lineage_id"],
        valid_until=_moment(document["valid_until"]),
        expires_at=_moment(document["expires_at"]),
        scopes=frozenset(document["scopes"]),
        allowed_origins=frozenset(document["allowed_origins"]),
        allowed_ips=frozenset(document["allowed_ips"]),
    )


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("a deadline without a zone cannot be judged")
    return moment
