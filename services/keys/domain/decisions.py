"""What may be decided about a keyring: pure functions, the ring first, plain values after, events out."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Final, assert_never

from latchkey.judging import PairStatus

from services.keys.domain.errors import (
    AccountErased,
    ExpiryPassed,
    OverlapTooLong,
    PairAlreadyActive,
    PairDisabled,
    PairEnded,
    PairRetiring,
    TooManyPairs,
    TooManyRegenerations,
)
from services.keys.domain.events import (
    DisableReason,
    KeyDisabled,
    KeyEnabled,
    KeyExpired,
    KeyPairGenerated,
    KeyRevoked,
    KeyringEvent,
    KeyringOpened,
    KeyringResumed,
    KeyringSuspended,
    KeyRotated,
    KeyRotationFinished,
    KeySecretRevealed,
    NewPair,
)
from services.keys.domain.keyring import NOWHERE, Keyring, Pair, Place, Standing, fold
from shared.errors import FieldError

OVERLAP_LIMIT_SECONDS: Final = 604_800
REGENERATIONS_A_DAY: Final = 1_000
LIVE_LIMIT: Final = (
    20  # keeps a ring's record far below what Kafka takes, so that revoking can never be refused for size; an overlap adds one
)
ERASED: Final = "account_erased"  # the reason that a revocation gives


def generate(ring: Keyring, *, place: Place, pair: NewPair, now: datetime) -> list[KeyringEvent]:
    """A first pair, or one after the last was disabled or ended; its secret is revealed by the very answer to this."""
    due = settle(ring, now=now)
    settled = fold(ring, due)
    if settled.erased:
        raise AccountErased
    if settled.active is not None:
        raise PairAlreadyActive
    if len(settled.live) >= LIVE_LIMIT:
        raise TooManyPairs
    if pair.expires_at is not None and pair.expires_at <= now:
        raise ExpiryPassed(errors=(FieldError("/expires_at", ExpiryPassed.code, "This time has passed."),))
    return [*_opening(ring, place), *due, KeyPairGenerated(pair), KeySecretRevealed(pair.pair_id)]


def regenerate(ring: Keyring, pair_id: str, *, pair: NewPair, overlap_seconds: int, now: datetime) -> list[KeyringEvent]:
    """A new pair instead of the active one, which is refused at once or when the overlap is over. An older overlap ends now.

    The new pair has its own keys, and lineage, rules and expiry of the old one.
    """
    if not 0 <= overlap_seconds <= OVERLAP_LIMIT_SECONDS:
        raise OverlapTooLong
    if ring.rotated_on == now.date() and ring.rotations >= REGENERATIONS_A_DAY:
        raise TooManyRegenerations(retry_after=_until_midnight(now))
    old = _usable(ring.pair(pair_id), now)
    match old.status:
        case PairStatus.ACTIVE:
            until = now + timedelta(seconds=overlap_seconds) if overlap_seconds else None
            at_once: list[KeyringEvent] = [] if until else [KeyDisabled(pair_id, DisableReason.ROTATED)]
            older = [event for retiring in ring.live if retiring.status is PairStatus.RETIRING for event in _finish(retiring)]
            return [
                *older,
                KeyPairGenerated(_heir(old.made, pair)),
                KeyRotated(pair_id, pair.pair_id, until, now),
                KeySecretRevealed(pair.pair_id),
                *at_once,
            ]
        case PairStatus.RETIRING:
            raise PairRetiring
        case PairStatus.DISABLED:
            raise PairDisabled
        case PairStatus.RETIRED | PairStatus.REVOKED | PairStatus.EXPIRED:
            raise PairEnded
        case _:
            assert_never(old.status)


def disable(ring: Keyring, pair_id: str, *, now: datetime) -> list[KeyringEvent]:
    """Refuse both keys of the pair until it is enabled."""
    pair = _usable(ring.pair(pair_id), now)
    match pair.status:
        case PairStatus.ACTIVE:
            return [KeyDisabled(pair_id, DisableReason.REQUESTED)]
        case PairStatus.DISABLED:
            return []
        case PairStatus.RETIRING:
            raise PairRetiring
        case PairStatus.RETIRED | PairStatus.REVOKED | PairStatus.EXPIRED:
            raise PairEnded
        case _:
            assert_never(pair.status)


def enable(ring: Keyring, pair_id: str, *, now: datetime) -> list[KeyringEvent]:
    """Let a disabled pair work again, unless another one took its place."""
    pair = _usable(ring.pair(pair_id), now)
    match pair.status:
        case PairStatus.ACTIVE:
            return []
        case PairStatus.DISABLED:
            due = settle(ring, now=now)
            if fold(ring, due).active is not None:
                raise PairAlreadyActive
            return [*due, KeyEnabled(pair_id)]
        case PairStatus.RETIRING:
            raise PairRetiring
        case PairStatus.RETIRED | PairStatus.REVOKED | PairStatus.EXPIRED:
            raise PairEnded
        case _:
            assert_never(pair.status)


def revoke(ring: Keyring, pair_id: str, *, reason: str) -> list[KeyringEvent]:
    """Refuse both keys of the pair for ever. One that has ended is refused for ever already: clients retry."""
    return [KeyRevoked(pair_id, reason)] if any(pair.pair_id == pair_id for pair in ring.live) else []


def settle(ring: Keyring, *, now: datetime) -> list[KeyringEvent]:
    """What time alone has brought about: pairs that expired, overlaps that are over."""
    events: list[KeyringEvent] = []
    for pair in ring.live:
        if _expired(pair, now):
            events.append(KeyExpired(pair.pair_id))
        elif _overlap_is_over(pair, now):
            events.extend(_finish(pair))
    return events


def stand(ring: Keyring, *, place: Place, standing: Standing) -> list[KeyringEvent]:
    """Take note of what a foreign stream says about one reason; what is older than what is known already changes nothing."""
    known = ring.standing(standing.reason)
    if known is not None and known.source == standing.source and known.version >= standing.version:
        return []
    if standing.suspends == (known is not None and known.suspends):
        return []
    event = KeyringSuspended if standing.suspends else KeyringResumed
    return [*_opening(ring, place), event(standing.reason, standing.source, standing.version)]


def erase(ring: Keyring, *, place: Place, standing: Standing) -> list[KeyringEvent]:
    """The account is gone: no pair of its ring works any more, neither those that are there nor one made in this very moment."""
    return [*stand(ring, place=place, standing=standing), *(KeyRevoked(pair.pair_id, ERASED) for pair in ring.live)]


def _heir(old: NewPair, new: NewPair) -> NewPair:
    secret_digest, last_four = new.secret_digest, new.secret_last_four
    return replace(old, pair_id=new.pair_id, public_key=new.public_key, secret_digest=secret_digest, secret_last_four=last_four)


def _opening(ring: Keyring, place: Place) -> list[KeyringEvent]:
    return [KeyringOpened(place.app_id, place.environment, place.owner_id)] if ring.place == NOWHERE else []


def _usable(pair: Pair, now: datetime) -> Pair:
    """The pair itself. Raises PairEnded when time has ended it, whether or not the timer has written that already."""
    if _expired(pair, now) or _overlap_is_over(pair, now):
        raise PairEnded
    return pair


def _expired(pair: Pair, now: datetime) -> bool:
    return pair.made.expires_at is not None and pair.made.expires_at <= now


def _overlap_is_over(pair: Pair, now: datetime) -> bool:
    return pair.status is PairStatus.RETIRING and (pair.valid_until is None or pair.valid_until <= now)


def _finish(pair: Pair) -> list[KeyringEvent]:
    return [KeyRotationFinished(pair.pair_id, pair.successor or ""), KeyDisabled(pair.pair_id, DisableReason.ROTATED)]


def _until_midnight(now: datetime) -> float:
    return (datetime.combine(now.date() + timedelta(days=1), time(), UTC) - now).total_seconds()
