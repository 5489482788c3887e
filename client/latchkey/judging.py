"""Whether a key is good: one pure function, the same for the HTTP verifier, the local one and the question what would have passed."""

from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, assert_never

from latchkey.keyformat import Kind
from latchkey.rings import PairRecord, PairStatus, RingRecord, decode_ring, encode_ring


class Code(StrEnum):
    """What a verifier answers. Only VALID accepts; STALE_FEED says that it cannot know, which refuses too."""

    VALID = "VALID"
    MALFORMED = "MALFORMED"
    NOT_FOUND = "NOT_FOUND"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"
    ROTATED = "ROTATED"
    APP_DISABLED = "APP_DISABLED"
    DISABLED = "DISABLED"
    FORBIDDEN_ORIGIN = "FORBIDDEN_ORIGIN"
    FORBIDDEN_IP = "FORBIDDEN_IP"
    INSUFFICIENT_SCOPE = "INSUFFICIENT_SCOPE"
    RATE_LIMITED = "RATE_LIMITED"
    STALE_FEED = "STALE_FEED"


# Python 3.11 finds a member of an enumeration fifteen times slower than a name of a module: a tenth of judging a key.
_ACTIVE: Final = PairStatus.ACTIVE
_VALID: Final = Code.VALID


def judge(record: PairRecord | None, kind: Kind, now: datetime, *, origin: str | None, ip: str | None, scope: str | None) -> Code:
    """Judge one key of a pair at `now`: what ended for ever first, then what may pass, then the rules.

    A restriction that the caller gives nothing to judge by refuses. A secret key that comes with a browser's origin is refused
    whatever its rules. A scope that is asked for must be among the pair's scopes.
    """
    if record is None:
        return Code.NOT_FOUND
    if record.status is _ACTIVE and record.expires_at is None and not record.suspended:
        # Nearly every key: nothing but the rules is left to look at.
        return _rules(record, kind, origin, ip, scope)
    return _ended(record, now) or _paused(record) or _rules(record, kind, origin, ip, scope)


def is_open(record: PairRecord) -> bool:
    """Whether both keys of this pair are VALID at any time, from any address, for whoever names neither an origin nor a scope."""
    limited = record.suspended or record.expires_at is not None or record.allowed_origins or record.allowed_ips
    return record.status is PairStatus.ACTIVE and not limited


def _ended(record: PairRecord, now: datetime) -> Code | None:
    if record.status is PairStatus.REVOKED:
        return Code.REVOKED
    if record.status is PairStatus.EXPIRED or (record.expires_at is not None and now >= record.expires_at):
        return Code.EXPIRED
    match record.status:
        case PairStatus.RETIRED:
            return Code.ROTATED
        case PairStatus.RETIRING:
            # An overlap without an end is none: the pair was to be refused at once.
            return Code.ROTATED if record.valid_until is None or now >= record.valid_until else None
        case PairStatus.ACTIVE | PairStatus.DISABLED:
            return None
        case _:
            assert_never(record.status)


def _paused(record: PairRecord) -> Code | None:
    if record.suspended:
        return Code.APP_DISABLED
    return Code.DISABLED if record.status is PairStatus.DISABLED else None


def _rules(record: PairRecord, kind: Kind, origin: str | None, ip: str | None, scope: str | None) -> Code:
    if origin is not None and kind is Kind.SECRET:
        return Code.FORBIDDEN_ORIGIN
    if record.allowed_origins and kind is Kind.PUBLIC and (origin is None or origin.lower() not in record.allowed_origins):
        return Code.FORBIDDEN_ORIGIN
    if record.allowed_ips and not _allowed(record.allowed_ips, ip):
        return Code.FORBIDDEN_IP
    if scope is not None and scope not in record.scopes:
        return Code.INSUFFICIENT_SCOPE
    return _VALID


def _allowed(ranges: frozenset[str], ip: str | None) -> bool:
    if ip is None:
        return False
    try:
        address: IPv4Address | IPv6Address = ip_address(ip)
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in map(_network, ranges))
    except ValueError:
        return False


@lru_cache(maxsize=4096)
def _network(text: str) -> IPv4Network | IPv6Network:
    return ip_network(text, strict=False)


__all__ = ["Code", "PairRecord", "PairStatus", "RingRecord", "decode_ring", "encode_ring", "judge"]
