"""The keyring of an app and environment: its pairs, how events change it, and what may be decided about it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import reduce
from typing import Final, assert_never

from latchkey.judging import PairStatus
from latchkey.keyformat import Environment

from services.keys.domain import events
from services.keys.domain.errors import PairEnded

ENDED_KEPT: Final = 100


@dataclass(frozen=True, slots=True)
class Place:
    """What a ring belongs to."""

    app_id: str
    environment: Environment
    owner_id: str


NOWHERE: Final = Place("", Environment.TEST, "")


@dataclass(frozen=True, slots=True)
class Pair:
    """A pair and where it stands. `successor` is the pair that it was rotated to, `valid_until` the end of that overlap."""

    made: events.NewPair
    status: PairStatus = PairStatus.ACTIVE
    valid_until: datetime | None = None
    successor: str | None = None

    @property
    def pair_id(self) -> str:
        return self.made.pair_id


@dataclass(frozen=True, slots=True)
class Standing:
    """What a foreign stream said last about one reason: whether it suspends, and the version that said so."""

    reason: events.SuspensionReason
    source: str
    version: int
    suspends: bool


@dataclass(frozen=True, slots=True)
class Keyring:
    """A ring: live pairs, the last hundred ended ones (oldest first), the standing of each reason, the rotations of one day."""

    ring_id: str
    place: Place = NOWHERE
    live: tuple[Pair, ...] = ()
    ended: tuple[Pair, ...] = ()
    standings: tuple[Standing, ...] = ()
    rotated_on: date = date.min
    rotations: int = 0

    @property
    def active(self) -> Pair | None:
        return next((pair for pair in self.live if pair.status is PairStatus.ACTIVE), None)

    @property
    def suspensions(self) -> tuple[events.SuspensionReason, ...]:
        return tuple(sorted(standing.reason for standing in self.standings if standing.suspends))

    @property
    def erased(self) -> bool:
        return events.SuspensionReason.ACCOUNT_ERASED in self.suspensions

    def standing(self, reason: events.SuspensionReason) -> Standing | None:
        return next((standing for standing in self.standings if standing.reason is reason), None)

    def pair(self, pair_id: str) -> Pair:
        """A live pair, or one that ended. One that is not remembered ended long ago: ids are looked up before a ring is asked."""
        for pair in (*self.live, *self.ended):
            if pair.pair_id == pair_id:
                return pair
        raise PairEnded


def evolve(ring: Keyring, event: events.KeyringEvent) -> Keyring:  # noqa: C901, PLR0911  # one case an event: the table is read as a whole
    """The ring after one more event."""
    match event:
        case events.KeyringOpened(app_id=app_id, environment=environment, owner_id=owner_id):
            return replace(ring, place=Place(app_id, environment, owner_id))
        case events.KeyPairGenerated(pair=made):
            return replace(ring, live=(*ring.live, Pair(made)))
        case events.KeySecretRevealed() | events.KeyRotationFinished():
            return ring
        case events.KeyRotated():
            return _rotated(ring, event)
        case events.KeyDisabled(pair_id=pair_id, reason=events.DisableReason.ROTATED):
            return _end(ring, pair_id, PairStatus.RETIRED)
        case events.KeyDisabled(pair_id=pair_id):
            return _change(ring, pair_id, lambda pair: replace(pair, status=PairStatus.DISABLED))
        case events.KeyEnabled(pair_id=pair_id) | events.KeyRotationRolledBack(old_pair_id=pair_id):
            return _change(ring, pair_id, lambda pair: Pair(pair.made))
        case events.KeyRevoked(pair_id=pair_id):
            return _end(ring, pair_id, PairStatus.REVOKED)
        case events.KeyExpired(pair_id=pair_id):
            return _end(ring, pair_id, PairStatus.EXPIRED)
        case events.KeyringSuspended(reason, source, version) | events.KeyringResumed(reason, source, version):
            return _stand(ring, Standing(reason, source, version, suspends=isinstance(event, events.KeyringSuspended)))
        case _:
            assert_never(event)


def fold(ring: Keyring, history: Iterable[events.KeyringEvent]) -> Keyring:
    """The ring after several more events."""
    return reduce(evolve, history, ring)


def _rotated(ring: Keyring, event: events.KeyRotated) -> Keyring:
    day = event.rotated_at.date()
    counted = replace(ring, rotated_on=day, rotations=ring.rotations + 1 if ring.rotated_on == day else 1)

    def retire(pair: Pair) -> Pair:
        return replace(pair, status=PairStatus.RETIRING, valid_until=event.old_valid_until, successor=event.new_pair_id)

    return _change(counted, event.old_pair_id, retire)


def _change(ring: Keyring, pair_id: str, change: Callable[[Pair], Pair]) -> Keyring:
    return replace(ring, live=tuple(change(pair) if pair.pair_id == pair_id else pair for pair in ring.live))


def _end(ring: Keyring, pair_id: str, status: PairStatus) -> Keyring:
    ending = tuple(replace(pair, status=status) for pair in ring.live if pair.pair_id == pair_id)
    live = tuple(pair for pair in ring.live if pair.pair_id != pair_id)
    return replace(ring, live=live, ended=(*ring.ended, *ending)[-ENDED_KEPT:])


def _stand(ring: Keyring, standing: Standing) -> Keyring:
    others = tuple(known for known in ring.standings if known.reason is not standing.reason)
    return replace(ring, standings=(*others, standing))
