"""What others hear of a keyring: a public event for each fact, its public state, and the record that verifiers judge by."""

from collections.abc import Sequence
from typing import Any, Final, assert_never

from latchkey.events import PublicEvent
from latchkey.events import keys as public
from latchkey.judging import PairRecord, PairStatus, RingRecord, encode_ring
from latchkey.keyformat import key_digest
from latchkey.states import encode_state
from latchkey.topics import KEYS_KEYRING_STATE, KEYS_VERIFIER_STATE

from services.keys.domain import events
from services.keys.domain.keyring import Keyring, Pair
from shared.store.records import State

STATE_KIND: Final = "keys.Keyring.v1"
_RULES: Final = ("scopes", "allowed_origins", "allowed_ips")
_SHOWN: Final = ("pair_id", "lineage_id", "public_key", "secret_last_four", *_RULES)
_NEVER_MORE: Final = frozenset({PairStatus.RETIRED, PairStatus.REVOKED, PairStatus.EXPIRED})


def publish(event: events.KeyringEvent, ring: Keyring) -> PublicEvent | None:  # noqa: C901, PLR0911, PLR0912  # one case an event: the table is read as a whole
    """The public form of an event; `ring` is the ring after it."""
    place: dict[str, Any] = {"ring_id": ring.ring_id, "app_id": ring.place.app_id, "environment": ring.place.environment}
    match event:
        case events.KeyringOpened():
            return None  # What opens a ring is never alone: the next event says the same and more.
        case events.KeyPairGenerated(pair=made):
            shown = {name: getattr(made, name) for name in events.NewPair.__slots__ if name != "secret_digest"}
            return public.KeyPairGenerated(**place, **shown)
        case events.KeySecretRevealed(pair_id=pair_id):
            return public.KeySecretRevealed(**place, pair_id=pair_id)
        case events.KeyRotated(old, new, old_valid_until):
            lineage = ring.pair(new).made.lineage_id
            return public.KeyRotated(**place, old_pair_id=old, new_pair_id=new, lineage_id=lineage, old_valid_until=old_valid_until)
        case events.KeyRotationFinished(old_pair_id, new_pair_id):
            return public.KeyRotationFinished(**place, old_pair_id=old_pair_id, new_pair_id=new_pair_id)
        case events.KeyRotationRolledBack(old_pair_id, new_pair_id):
            return public.KeyRotationRolledBack(**place, old_pair_id=old_pair_id, new_pair_id=new_pair_id)
        case events.KeyDisabled(pair_id, reason):
            return public.KeyDisabled(**place, pair_id=pair_id, reason=reason)
        case events.KeyEnabled(pair_id=pair_id):
            return public.KeyEnabled(**place, pair_id=pair_id)
        case events.KeyRevoked(pair_id, reason):
            return public.KeyRevoked(**place, pair_id=pair_id, reason=reason)
        case events.KeyExpired(pair_id=pair_id):
            return public.KeyExpired(**place, pair_id=pair_id)
        case events.KeyringSuspended(reason=reason):
            return public.KeyringSuspended(**place, reason=reason)
        case events.KeyringResumed(reason=reason):
            return public.KeyringResumed(**place, reason=reason)
        case _:
            assert_never(event)


def states(event: events.KeyringEvent, ring: Keyring, streamversion: int) -> Sequence[State]:
    """The ring as verifiers need it and as anyone may see it. An erased account's public state is gone; its keys stay known as revoked."""
    match event:
        case events.KeyringOpened() | events.KeySecretRevealed() | events.KeyRotationFinished():
            return ()  # No pair's state changes by these.
        case _:
            return (
                State(KEYS_VERIFIER_STATE, encode_ring(ring_record(ring, streamversion))),
                State(KEYS_KEYRING_STATE, None if ring.erased else _public_state(ring, streamversion)),
            )


def ring_record(ring: Keyring, streamversion: int) -> RingRecord:
    """The ring as verifiers need it: the last ended pairs too, so that their keys are known as revoked, rotated or expired."""
    return RingRecord(ring.ring_id, streamversion, tuple(_pair_record(ring, pair) for pair in (*ring.ended, *ring.live)))


def _pair_record(ring: Keyring, pair: Pair) -> PairRecord:
    """What is needed to judge the pair's keys; the rules of one that has ended for ever are not."""
    made = pair.made
    rules = {} if pair.status in _NEVER_MORE else {name: frozenset(getattr(made, name)) for name in _RULES}
    return PairRecord(
        ring_id=ring.ring_id, pair_id=made.pair_id, app_id=ring.place.app_id, tenant=ring.place.owner_id,
        environment=ring.place.environment, public_digest=key_digest(made.public_key), secret_digest=bytes.fromhex(made.secret_digest),
        status=pair.status, lineage_id=made.lineage_id, valid_until=pair.valid_until, expires_at=made.expires_at,
        suspended=bool(ring.suspensions), **rules,
    )  # fmt: skip


def _public_state(ring: Keyring, streamversion: int) -> str:
    place = {"app_id": ring.place.app_id, "environment": ring.place.environment, "owner_id": ring.place.owner_id}
    pairs = [_public_pair(pair) for pair in (*ring.ended, *ring.live)]
    return encode_state(STATE_KIND, ring.ring_id, streamversion, {**place, "suspensions": list(ring.suspensions), "pairs": pairs})


def _public_pair(pair: Pair) -> dict[str, object]:
    made = pair.made
    return {
        **{name: getattr(made, name) for name in _SHOWN},
        "status": pair.status,
        "valid_until": None if pair.valid_until is None else pair.valid_until.isoformat(),
        "expires_at": None if made.expires_at is None else made.expires_at.isoformat(),
    }
