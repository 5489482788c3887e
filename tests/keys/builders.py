"""Rings and pairs for the tests of keys, and given / when / then over the pure aggregate."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from hashlib import sha256

from latchkey.keyformat import Environment, Kind, key_digest, last_four, make_key

from services.keys.domain import decisions
from services.keys.domain.events import (
    DisableReason,
    KeyDisabled,
    KeyPairGenerated,
    KeyringEvent,
    KeyringOpened,
    KeyRotated,
    KeySecretRevealed,
    NewPair,
    SuspensionReason,
)
from services.keys.domain.keyring import Keyring, Place, Standing, fold

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
APP, OWNER = "app_1", "acc_1"
PLACE = Place(APP, Environment.TEST, OWNER)
Decision = Callable[[Keyring], list[KeyringEvent]]


def at(seconds: float) -> datetime:
    """That many seconds after NOW."""
    return NOW + timedelta(seconds=seconds)


@cache
def key(kind: Kind, name: str) -> str:
    """The key of this kind that a pair of this name has."""
    return make_key(kind, PLACE.environment, sha256(f"{kind}{name}".encode()).digest())


def new_pair(name: str, *, lineage: str = "kl_1", expires_at: datetime | None = None, scopes: tuple[str, ...] = ()) -> NewPair:
    """A pair with keys derived from its name."""
    secret = key(Kind.SECRET, name)
    return NewPair(
        name, lineage, key(Kind.PUBLIC, name), key_digest(secret).hex(), last_four(secret), expires_at=expires_at, scopes=scopes
    )  # fmt: skip


def generated(name: str, *, expires_at: datetime | None = None) -> tuple[KeyringEvent, ...]:
    """A ring that was opened by the generation of this pair."""
    return (OPENED, KeyPairGenerated(new_pair(name, expires_at=expires_at)), KeySecretRevealed(name))


def rotated(old: str, new: str, *, until: datetime | None = None) -> tuple[KeyringEvent, ...]:
    """What a regeneration leaves."""
    at_once = () if until else (KeyDisabled(old, DisableReason.ROTATED),)
    return (KeyPairGenerated(new_pair(new)), KeyRotated(old, new, until, NOW), KeySecretRevealed(new), *at_once)


OPENED = KeyringOpened(APP, Environment.TEST, OWNER)


@dataclass(frozen=True)
class Given:
    """A ring with a history."""

    ring: Keyring

    def when(self, decision: Decision) -> list[KeyringEvent]:
        """The events that were decided."""
        return decision(self.ring)


def given(*history: KeyringEvent) -> Given:
    """The ring to which this happened."""
    return Given(fold(Keyring("kr_1"), history))


def generating(name: str, *, expires_at: datetime | None = None, now: datetime = NOW) -> Decision:
    return partial(decisions.generate, place=PLACE, pair=new_pair(name, expires_at=expires_at), now=now)


def regenerating(old: str, new: str, *, overlap_seconds: int = 0, now: datetime = NOW) -> Decision:
    return partial(decisions.regenerate, pair_id=old, pair=new_pair(new), overlap_seconds=overlap_seconds, now=now)


def disabling(name: str, now: datetime = NOW) -> Decision:
    return partial(decisions.disable, pair_id=name, now=now)


def enabling(name: str, now: datetime = NOW) -> Decision:
    return partial(decisions.enable, pair_id=name, now=now)


def revoking(name: str, reason: str = "leaked") -> Decision:
    return partial(decisions.revoke, pair_id=name, reason=reason)


def finishing(name: str) -> Decision:
    return partial(decisions.finish_rotation, pair_id=name)


def rolling_back(name: str, now: datetime = NOW) -> Decision:
    return partial(decisions.roll_back, pair_id=name, now=now)


def settling(now: datetime) -> Decision:
    return partial(decisions.settle, now=now)


def hearing(reason: SuspensionReason, version: int, *, suspends: bool) -> Decision:
    """A reaction to what the app's or subscription's stream said at that version."""
    return partial(decisions.stand, place=PLACE, standing=Standing(reason, "source_1", version, suspends))


def erasing(version: int = 3) -> Decision:
    standing = Standing(SuspensionReason.ACCOUNT_ERASED, OWNER, version, suspends=True)
    return partial(decisions.erase, place=PLACE, standing=standing)
