"""The published language: every public event of the product by its public type."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from latchkey.events import identity, keys, metrics, registry
from latchkey.events.public import PublicEvent

_ALL: Final[tuple[type[PublicEvent], ...]] = (
    identity.AccountRegistered,
    identity.AccountVerified,
    identity.SessionsRevoked,
    identity.AccountErased,
    registry.AppRegistered,
    registry.AppDetailsChanged,
    registry.AppLogoChanged,
    registry.AppDisabled,
    registry.AppEnabled,
    registry.AppArchived,
    registry.AppRestored,
    registry.AppErased,
    registry.DomainAdded,
    registry.DomainVerified,
    registry.DomainRemoved,
    registry.ServiceSubscribed,
    registry.ServiceUnsubscribed,
    keys.KeyPairGenerated,
    keys.KeySecretRevealed,
    keys.KeyRotated,
    keys.KeyRotationFinished,
    keys.KeyRotationRolledBack,
    keys.KeyDisabled,
    keys.KeyEnabled,
    keys.KeyRevoked,
    keys.KeyExpired,
    keys.KeyringSuspended,
    keys.KeyringResumed,
    metrics.TransactionRecorded,
    metrics.TransactionStatusChanged,
)

EVENTS: Final[Mapping[str, type[PublicEvent]]] = MappingProxyType({event.event_type: event for event in _ALL})
"""Public type, such as `registry.AppRegistered.v1`, to the class that reads its data."""

EVENT_NAMES: Final = frozenset(event.event_name for event in _ALL)
"""Names of which at least one version is known: another version of one of these is not an unknown event, but one not to be guessed at."""

__all__ = ["EVENTS", "EVENT_NAMES", "PublicEvent"]
