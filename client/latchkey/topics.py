"""Every Kafka topic of the public contract with its partitions and settings: what an installation creates, what a consumer names."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

IDENTITY_ACCOUNT_EVENTS: Final = "identity.account.events.v1"
IDENTITY_ERASURE_STATE: Final = "identity.erasure.state.v1"
REGISTRY_APP_EVENTS: Final = "registry.app.events.v1"
REGISTRY_APP_STATE: Final = "registry.app.state.v1"
REGISTRY_SUBSCRIPTION_EVENTS: Final = "registry.subscription.events.v1"
KEYS_KEYRING_EVENTS: Final = "keys.keyring.events.v1"
KEYS_KEYRING_STATE: Final = "keys.keyring.state.v1"
KEYS_VERIFIER_STATE: Final = "keys.verifier.state.v1"
METRICS_TRANSACTION_EVENTS: Final = "metrics.transaction.events.v1"

_EVENTS: Final = MappingProxyType({"cleanup.policy": "delete", "retention.ms": str(30 * 24 * 3600 * 1000)})
_STATE: Final = MappingProxyType(
    {
        "cleanup.policy": "compact",
        "segment.bytes": str(16 * 1024 * 1024),
        "segment.ms": "600000",
        "max.compaction.lag.ms": "600000",
        "min.cleanable.dirty.ratio": "0.1",
        "delete.retention.ms": "604800000",
    }
)


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as it must be created: the number of partitions is for life, `config` holds Kafka's own setting names and values."""

    name: str
    partitions: int
    config: Mapping[str, str]

    @property
    def compacted(self) -> bool:
        """True when the topic keeps the last record of each key for ever, false when it keeps every record for 30 days."""
        return self.config["cleanup.policy"] == "compact"


TOPICS: Final[tuple[Topic, ...]] = (
    Topic(IDENTITY_ACCOUNT_EVENTS, 12, _EVENTS),
    Topic(IDENTITY_ERASURE_STATE, 12, _STATE),
    Topic(REGISTRY_APP_EVENTS, 12, _EVENTS),
    Topic(REGISTRY_APP_STATE, 12, _STATE),
    Topic(REGISTRY_SUBSCRIPTION_EVENTS, 12, _EVENTS),
    Topic(KEYS_KEYRING_EVENTS, 12, _EVENTS),
    Topic(KEYS_KEYRING_STATE, 12, _STATE),
    # One partition, because a verifier needs one order over all rings to know that it has seen everything up to a beat.
    Topic(KEYS_VERIFIER_STATE, 1, _STATE),
    Topic(METRICS_TRANSACTION_EVENTS, 12, _EVENTS),
)

BY_NAME: Final[Mapping[str, Topic]] = MappingProxyType({topic.name: topic for topic in TOPICS})
