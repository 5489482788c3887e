"""What may be decided about a keyring: pure functions, the ring first, plain values after, events out."""

import contextlib
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Final, assert_never

from latchkey.judging import PairStatus

from services.keys.domain import errors, events
from services.keys.domain.keyring import NOWHERE, Keyring, Pair, Place, Standing, fold
from shared.errors import FieldError

OVERLAP_LIMIT_SECONDS: Final = 604_800
REGENERATIONS_A_DAY: Final = 1_000
LIVE_LIMIT: Final = 20  # an overlap adds one; a ring's record stays far below what Kafka takes, so revoking is never refused for size
ERASED: Final = "account_erased"  # the reason that a revocation gives


def generate(ring: Keyring, *, place: Place, pair: events.NewPair, now: datetime) -> list[events.KeyringEvent]:
    """A first pair, or one after the last was disabled or ended; its secret is revealed by the very answer to this."""
    due = settle(ring, now=now)
    settled = fold(ring, due)
    if settled.erased:
        raise errors.AccountErased
    if settled.active is not None:
        raise errors.PairAlreadyActive
    if len(settled.live) >= LIVE_LIMIT:
        raise errors.TooManyPairs
    if pair.expires_at is not None and pair.expires_at <= now:
        raise errors.ExpiryPassed(errors=(FieldError("/expires_at", errors.ExpiryPassed.code, "This time has passed."),))
    return [*_opening(ring, place), *due, events.KeyPairGenerated(pair), events.KeySecretRevealed(pair.pair_id)]


def regenerate(ring: Keyring, pair_id: str, *, pair: events.NewPair, overlap_seconds: int, now: datetime) -> list[events.KeyringEvent]:
    """A new pair instead of the active one, which is refused at once or when the overlap is over. An older overlap ends now.

    The new pair has its own keys, and lineage, rules and expiry of the old one.
    """
    if not 0 <= overlap_seconds <= OVERLAP_LIMIT_SECONDS:
        raise errors.OverlapTooLong
    if ring.rotated_on == now.date() and ring.rotations >= REGENERATIONS_A_DAY:
        raise errors.TooManyRegenerations(retry_after=_until_midnight(now))
    if not _works(ring, pair_id, now):
        raise errors.PairDisabled
    until = now + timedelta(seconds=overlap_seconds) if overlap_seconds else None
    at_once: list[events.KeyringEvent] = [] if until else [events.KeyDisabled(pair_id, events.DisableReason.ROTATED)]
    older = [event for retiring in ring.live if retiring.status is PairStatus.RETIRING for event in _finish(retiring)]
    return [
        *older,
        events.KeyPairGenerated(_heir(ring.pair(pair_id).made, pair)),
        events.KeyRotated(pair_id, pair.pair_id, until, now),
        events.KeySecretRevealed(pair.pair_id),
        *at_once,
    ]


def disable(ring: Keyring, pair_id: str, *, now: datetime) -> list[events.KeyringEvent]:
    """Refuse both keys of the pair until it is enabled."""
    return [events.KeyDisabled(pair_id, events.DisableReason.REQUESTED)] if _works(ring, pair_id, now) else []


def enable(ring: Keyring, pair_id: str, *, now: datetime) -> list[events.KeyringEvent]:
    """Let a disabled pair work again, unless another one took its place."""
    if _works(ring, pair_id, now):
        return []
    due = settle(ring, now=now)
    if fold(ring, due).active is not None:
        raise errors.PairAlreadyActive
    return [*due, events.KeyEnabled(pair_id)]


def revoke(ring: Keyring, pair_id: str, *, reason: str) -> list[events.KeyringEvent]:
    """Refuse both keys of the pair for ever. One that has ended is refused for ever already: clients retry."""
    return [events.KeyRevoked(pair_id, reason)] if any(pair.pair_id == pair_id for pair in ring.live) else []


def finish_rotation(ring: Keyring, pair_id: str) -> list[events.KeyringEvent]:
    """End the overlap of a pair that was rotated now. One that has ended is refused already: clients retry."""
    pair = ring.pair(pair_id)
    if pair.status in {PairStatus.ACTIVE, PairStatus.DISABLED}:
        raise errors.PairNotRetiring
    return _finish(pair) if pair.status is PairStatus.RETIRING else []


def roll_back(ring: Keyring, pair_id: str, *, now: datetime) -> list[events.KeyringEvent]:
    """Within the overlap: the pair stays, and its successor is refused for ever, unless that has ended already."""
    with contextlib.suppress(errors.PairRetiring):
        _works(ring, pair_id, now)
        raise errors.PairNotRetiring
    successor = ring.pair(pair_id).successor or ""
    if ring.active is not None and ring.active.pair_id != successor:
        raise errors.PairAlreadyActive
    dropped = [events.KeyDisabled(pair.pair_id, events.DisableReason.ROTATED) for pair in ring.live if pair.pair_id == successor]
    return [events.KeyRotationRolledBack(pair_id, successor), *dropped]


def settle(ring: Keyring, *, now: datetime) -> list[events.KeyringEvent]:
    """What time alone has brought about: pairs that expired, overlaps that are over."""
    due: list[events.KeyringEvent] = []
    for pair in ring.live:
        if _expired(pair, now):
            due.append(events.KeyExpired(pair.pair_id))
        elif _overlap_is_over(pair, now):
            due.extend(_finish(pair))
    return due


def stand(ring: Keyring, *, place: Place, standing: Standing) -> list[events.KeyringEvent]:
    """Take note of what a foreign stream says about one reason; what is older than what is known already changes nothing."""
    known = ring.standing(standing.reason)
    if known is not None and known.source == standing.source and known.version >= standing.version:
        return []
    if standing.suspends == (known is not None and known.suspends):
        return []
    event = events.KeyringSuspended if standing.suspends else events.KeyringResumed
    return [*_opening(ring, place), event(standing.reason, standing.source, standing.version)]


def erase(ring: Keyring, *, place: Place, standing: Standing) -> list[events.KeyringEvent]:
    """The account is gone: no pair of its ring works any more, neither those that are there nor one made in this very moment."""
    return [*stand(ring, place=place, standing=standing), *(events.KeyRevoked(pair.pair_id, ERASED) for pair in ring.live)]


def _heir(old: events.NewPair, new: events.NewPair) -> events.NewPair:
    secret_digest, last_four = new.secret_digest, new.secret_last_four
    return replace(old, pair_id=new.pair_id, public_key=new.public_key, secret_digest=secret_digest, secret_last_four=last_four)


def _opening(ring: Keyring, place: Place) -> list[events.KeyringEvent]:
    return [events.KeyringOpened(place.app_id, place.environment, place.owner_id)] if ring.place == NOWHERE else []


def _works(ring: Keyring, pair_id: str, now: datetime) -> bool:
    """Whether the pair is active, not disabled. Raises PairRetiring for one that was rotated, and PairEnded for one that nothing brings
    back, or that time has ended, whether or not the timer has written that already."""
    pair = ring.pair(pair_id)
    if _expired(pair, now) or _overlap_is_over(pair, now):
        raise errors.PairEnded
    match pair.status:
        case PairStatus.ACTIVE | PairStatus.DISABLED:
            return pair.status is PairStatus.ACTIVE
        case PairStatus.RETIRING:
            raise errors.PairRetiring
        case PairStatus.RETIRED | PairStatus.REVOKED | PairStatus.EXPIRED:
            raise errors.PairEnded
        case _:
            assert_never(pair.status)


def _expired(pair: Pair, now: datetime) -> bool:
    return pair.made.expires_at is not None and pair.made.expires_at <= now


def _overlap_is_over(pair: Pair, now: datetime) -> bool:
    return pair.status is PairStatus.RETIRING and (pair.valid_until is None or pair.valid_until <= now)


def _finish(pair: Pair) -> list[events.KeyringEvent]:
    return [events.KeyRotationFinished(pair.pair_id, pair.successor or ""), events.KeyDisabled(pair.pair_id, events.DisableReason.ROTATED)]


def _until_midnight(now: datetime) -> float:
    return (datetime.combine(now.date() + timedelta(days=1), time(), UTC) - now).total_seconds()
