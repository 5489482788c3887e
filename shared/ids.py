"""Identifiers: `new_id` sorts by time and means nothing; `derived_id` is the same for the same parts, so two first writers meet."""

import hashlib
import re
import secrets
import time
from datetime import UTC, datetime

from latchkey import base62

WIDTH = 22  # base62 characters that hold 128 bits


def new_id(prefix: str) -> str:
    """`<prefix>_` + 22 base62 characters of a UUIDv7 (RFC 9562: 48 bits of Unix milliseconds, then 74 random bits)."""
    millis = time.time_ns() // 1_000_000
    random = secrets.randbits(74)
    uuid7 = (millis << 80) | (0x7 << 76) | ((random >> 62) << 64) | (0b10 << 62) | (random & ((1 << 62) - 1))
    return f"{prefix}_{base62.encode(uuid7, WIDTH)}"


def is_id(text: str, prefix: str) -> bool:
    """Whether this has the form of our ids with this prefix: what has not is no stream of that kind, and is not to be looked for."""
    return re.fullmatch(rf"{prefix}_[0-9A-Za-z]{{{WIDTH}}}", text) is not None


def made_at(made: str) -> datetime:
    """When `new_id` made this. Raises `ValueError` for what it did not make."""
    return datetime.fromtimestamp((base62.decode(made.rpartition("_")[2]) >> 80) / 1_000, UTC)


def derived_id(prefix: str, *parts: str) -> str:
    """`<prefix>_` + the first 128 bits of SHA-256 over the length-prefixed parts: no two different lists of parts collide by joining."""
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode()
        digest.update(len(encoded).to_bytes(4, "big") + encoded)
    return f"{prefix}_{base62.encode(int.from_bytes(digest.digest()[:16], 'big'), WIDTH)}"
