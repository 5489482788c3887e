"""The key string `lk_<pk|sk>_<live|test>_<43 base62><6 base62 of CRC32>`: making one, telling one from a foreign text, its digest.

The checksum covers everything before it, prefix included, so a typo or a foreign string is refused without any look-up and
a scanner of source code has no false hits. The digest needs no pepper: 256 random bits cannot be guessed.
"""

from enum import StrEnum
from hashlib import sha256
from typing import Final, NamedTuple
from zlib import crc32

from latchkey.base62 import PAIRS, encode

ENTROPY_BYTES: Final = 32
_BODY: Final = 43
CHECK: Final = 6
_PREFIX: Final = len("lk_pk_live_")
LENGTH: Final = _PREFIX + _BODY + CHECK


class Kind(StrEnum):
    """Which half of a pair a key is: the public one may be seen in a frontend, the secret one may not."""

    PUBLIC = "pk"
    SECRET = "sk"  # noqa: S105 - the prefix of every secret key, not one of them


class Environment(StrEnum):
    """Where a key is good: with real money, or for trying things out."""

    LIVE = "live"
    TEST = "test"


class ParsedKey(NamedTuple):
    """A text that has the shape of a key and a right checksum. It says nothing about whether the key exists."""

    kind: Kind
    environment: Environment
    text: str


def _checksum(covered: bytes) -> str:
    # Two characters at a time: three look-ups instead of six divisions on the path that every request takes.
    high, low = divmod(crc32(covered), 3844)
    top, middle = divmod(high, 3844)
    return PAIRS[top] + PAIRS[middle] + PAIRS[low]


def make_key(kind: Kind, environment: Environment, entropy: bytes) -> str:
    """Write the key for 32 random bytes. Raises `ValueError` when there are not exactly 32."""
    if len(entropy) != ENTROPY_BYTES:
        raise ValueError(f"a key is made of {ENTROPY_BYTES} random bytes, not of {len(entropy)}")
    covered = prefix_of(kind, environment) + encode(int.from_bytes(entropy), _BODY)
    return covered + _checksum(covered.encode())


def prefix_of(kind: Kind, environment: Environment) -> str:
    """What a key of this kind and environment begins with."""
    return f"lk_{kind}_{environment}_"


_PREFIXES: Final = {prefix_of(kind, environment): (kind, environment) for kind in Kind for environment in Environment}


def parse_key(text: str) -> ParsedKey | None:
    """Return what the text says of itself, or `None` when it is no key: wrong shape or wrong checksum. Looks nothing up."""
    prefix = _PREFIXES.get(text[:_PREFIX])
    if prefix is None or not is_whole(text) or not text[_PREFIX:].isalnum():
        return None
    return ParsedKey(prefix[0], prefix[1], text)


def is_whole(text: str) -> bool:
    """Whether the text has a key's length and a right checksum; says nothing of its shape."""
    return len(text) == LENGTH and text.isascii() and text[-CHECK:] == _checksum(text[:-CHECK].encode())


def key_digest(text: str) -> bytes:
    """SHA-256 (32 bytes) over everything before the checksum, prefix included: what is stored and looked up instead of the key."""
    return sha256(text[:-CHECK].encode()).digest()


def last_four(text: str) -> str:
    """The four characters by which a person recognises a key at its end."""
    return text[-4:]
