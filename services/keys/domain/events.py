"""What can happen to a keyring: frozen facts, their stored names and present schema versions."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from latchkey.keyformat import Environment


class SuspensionReason(StrEnum):
    """Why a whole ring does not work, whatever its pairs' own states; it works when no reason is left."""

    APP_DISABLED = "app_disabled"
    APP_ARCHIVED = "app_archived"
    UNSUBSCRIBED = "unsubscribed"
    ACCOUNT_ERASED = "account_erased"


class DisableReason(StrEnum):
    """Who turned a pair off: its owner, for as long as the owner likes, or a rotation, for ever."""

    REQUESTED = "requested"
    ROTATED = "rotated"


@dataclass(frozen=True, slots=True)
class NewPair:
    """A pair as it is made: the public key in clear, of the secret its SHA-256 (hex) and last four. Empty rules allow everything."""

    pair_id: str
    lineage_id: str
    public_key: str
    secret_digest: str
    secret_last_four: str
    expires_at: datetime | None = None
    scopes: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    allowed_ips: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class KeyringOpened:
    """The ring's first event; it says whose ring it is. Not published: the event that follows it says the same."""

    app_id: str
    environment: Environment
    owner_id: str


@dataclass(frozen=True, slots=True)
class KeyPairGenerated:
    pair: NewPair


@dataclass(frozen=True, slots=True)
class KeySecretRevealed:
    pair_id: str


@dataclass(frozen=True, slots=True)
class KeyRotated:
    """The old pair works until `old_valid_until`, not at all when that is None."""

    old_pair_id: str
    new_pair_id: str
    old_valid_until: datetime | None
    rotated_at: datetime


@dataclass(frozen=True, slots=True)
class KeyRotationFinished:
    old_pair_id: str
    new_pair_id: str


@dataclass(frozen=True, slots=True)
class KeyRotationRolledBack:
    old_pair_id: str
    new_pair_id: str


@dataclass(frozen=True, slots=True)
class KeyDisabled:
    pair_id: str
    reason: DisableReason


@dataclass(frozen=True, slots=True)
class KeyEnabled:
    pair_id: str


@dataclass(frozen=True, slots=True)
class KeyRevoked:
    pair_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class KeyExpired:
    pair_id: str


@dataclass(frozen=True, slots=True)
class KeyringSuspended:
    """`source` is the foreign stream that gave the reason, `source_version` that stream's version."""

    reason: SuspensionReason
    source: str
    source_version: int


@dataclass(frozen=True, slots=True)
class KeyringResumed:
    reason: SuspensionReason
    source: str
    source_version: int


KeyringEvent = (
    KeyringOpened
    | KeyPairGenerated
    | KeySecretRevealed
    | KeyRotated
    | KeyRotationFinished
    | KeyRotationRolledBack
    | KeyDisabled
    | KeyEnabled
    | KeyRevoked
    | KeyExpired
    | KeyringSuspended
    | KeyringResumed
)

STORED: Final[dict[str, tuple[type[Any], int]]] = {
    "keys.KeyringOpened": (KeyringOpened, 1),
    "keys.KeyPairGenerated": (KeyPairGenerated, 1),
    "keys.KeySecretRevealed": (KeySecretRevealed, 1),
    "keys.KeyRotated": (KeyRotated, 1),
    "keys.KeyRotationFinished": (KeyRotationFinished, 1),
    "keys.KeyRotationRolledBack": (KeyRotationRolledBack, 1),
    "keys.KeyDisabled": (KeyDisabled, 1),
    "keys.KeyEnabled": (KeyEnabled, 1),
    "keys.KeyRevoked": (KeyRevoked, 1),
    "keys.KeyExpired": (KeyExpired, 1),
    "keys.KeyringSuspended": (KeyringSuspended, 1),
    "keys.KeyringResumed": (KeyringResumed, 1),
}
