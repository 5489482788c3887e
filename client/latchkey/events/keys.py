"""What keys publishes about the pairs of an app: the public key in clear, of a secret never more than its last four characters."""

from typing import Annotated, ClassVar

from pydantic import Field

from latchkey.events.public import AppId, Environment, Instant, PublicEvent, open_enum
from latchkey.topics import KEYS_KEYRING_EVENTS

PairId = Annotated[str, Field(description="the pair, kp_…")]
LineageId = Annotated[str, Field(description="stays the same from pair to pair across rotations")]
SuspensionReason = Annotated[
    str, open_enum("app_disabled", "app_archived", "unsubscribed", "account_erased", meaning="why no pair of the ring works")
]


class KeyringEvent(PublicEvent):
    """An event of the keyring of one app and environment; the stream is the ring."""

    topic: ClassVar[str] = KEYS_KEYRING_EVENTS

    ring_id: Annotated[str, Field(description="the keyring of the app and environment, kr_…")]
    app_id: AppId
    environment: Environment


class PairEvent(KeyringEvent):
    """An event of one pair of the ring."""

    pair_id: PairId


class KeyPairGenerated(PairEvent):
    """A new pair is good from now on."""

    event_name: ClassVar[str] = "keys.KeyPairGenerated"

    lineage_id: LineageId
    public_key: Annotated[str, Field(description="in clear, lk_pk_…; it identifies and is no secret")]
    secret_last_four: Annotated[str, Field(description="the last four characters of the secret key, by which people tell keys apart")]
    expires_at: Annotated[Instant | None, Field(description="RFC 3339, in UTC: refused from then on; null: never")] = None
    scopes: Annotated[tuple[str, ...], Field(description="what the pair may be used for; empty: everything")] = ()
    allowed_origins: Annotated[tuple[str, ...], Field(description="origins of browsers that may use it; empty: all")] = ()
    allowed_ips: Annotated[tuple[str, ...], Field(description="addresses and CIDR ranges that may use it; empty: all")] = ()


class KeySecretRevealed(PairEvent):
    """The one response that carries the secret of the pair was given; nobody is shown it again."""

    event_name: ClassVar[str] = "keys.KeySecretRevealed"


class KeyRotated(KeyringEvent):
    """A new pair follows an old one; the old one is refused from `old_valid_until` on, at once when that is null."""

    event_name: ClassVar[str] = "keys.KeyRotated"

    old_pair_id: Annotated[str, Field(description="the pair that is replaced, kp_…")]
    new_pair_id: Annotated[str, Field(description="the pair that follows it, kp_…")]
    lineage_id: LineageId
    old_valid_until: Annotated[Instant | None, Field(description="RFC 3339, in UTC: end of the overlap; null: refused at once")] = None


class KeyRotationFinished(KeyringEvent):
    """The overlap is over: the old pair is refused for ever."""

    event_name: ClassVar[str] = "keys.KeyRotationFinished"

    old_pair_id: Annotated[str, Field(description="the pair that is replaced, kp_…")]
    new_pair_id: Annotated[str, Field(description="the pair that follows it, kp_…")]


class KeyRotationRolledBack(KeyringEvent):
    """Within the overlap the old pair took its place again; the new one is refused for ever."""

    event_name: ClassVar[str] = "keys.KeyRotationRolledBack"

    old_pair_id: Annotated[str, Field(description="the pair that was replaced and stays, kp_…")]
    new_pair_id: Annotated[str, Field(description="the pair that was to follow it, kp_…")]


class KeyDisabled(PairEvent):
    """The pair is refused; with the reason `rotated` for ever, else until it is enabled."""

    event_name: ClassVar[str] = "keys.KeyDisabled"

    reason: Annotated[str, open_enum("requested", "rotated", meaning="why it is refused")]


class KeyEnabled(PairEvent):
    """The pair works again."""

    event_name: ClassVar[str] = "keys.KeyEnabled"


class KeyRevoked(PairEvent):
    """The pair is refused for ever."""

    event_name: ClassVar[str] = "keys.KeyRevoked"

    reason: Annotated[str, Field(description="the owner's words, no personal data; `account_erased` when the account is gone")]


class KeyExpired(PairEvent):
    """The pair reached the end of the time it was made for."""

    event_name: ClassVar[str] = "keys.KeyExpired"


class KeyringSuspended(KeyringEvent):
    """All pairs of the ring are refused for this reason, whatever their own state; the ring works when no reason is left."""

    event_name: ClassVar[str] = "keys.KeyringSuspended"

    reason: SuspensionReason


class KeyringResumed(KeyringEvent):
    """This reason for the ring's suspension is gone."""

    event_name: ClassVar[str] = "keys.KeyringResumed"

    reason: SuspensionReason
