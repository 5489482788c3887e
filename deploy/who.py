"""Who there is in a deployment: the numeric user of each process, the names at the stores, and what each may do on Kafka."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from latchkey.topics import (
    IDENTITY_ACCOUNT_EVENTS,
    KEYS_KEYRING_EVENTS,
    KEYS_VERIFIER_STATE,
    REGISTRY_APP_EVENTS,
    REGISTRY_SUBSCRIPTION_EVENTS,
    TOPICS,
)

SERVICES: Final = ("identity", "registry", "keys", "metrics")
ROLES: Final = ("owner", "app", "read")
ADMIN: Final = 10_000
UIDS: Final[Mapping[str, int]] = MappingProxyType(
    {"identity": 10_001, "registry": 10_002, "keys": 10_003, "metrics": 10_004, "portal": 10_005}
)
OWNERS: Final[Mapping[str, int]] = MappingProxyType({service: UIDS[service] + 10 for service in SERVICES})
"""Migrations and operators run as a user of their own, in the group of the service: they may read what the service may, and more."""
POSTGRES: Final = 999
KAFKA: Final = 1_000
REDIS: Final = 10_030
PROXY: Final = 10_040


@dataclass(frozen=True)
class KafkaRights:
    """What a user may do: write and read topics that begin with `owns`, read those of `listens_to`, use groups that begin with `groups`."""

    listens_to: tuple[str, ...]
    groups: str
    owns: str | None = None


RIGHTS: Final[Mapping[str, KafkaRights]] = MappingProxyType(
    {
        "identity": KafkaRights((), "identity-", "identity."),
        "registry": KafkaRights((IDENTITY_ACCOUNT_EVENTS,), "registry-", "registry."),
        "keys": KafkaRights((IDENTITY_ACCOUNT_EVENTS, REGISTRY_APP_EVENTS, REGISTRY_SUBSCRIPTION_EVENTS), "keys-", "keys."),
        "metrics": KafkaRights(
            (IDENTITY_ACCOUNT_EVENTS, REGISTRY_APP_EVENTS, KEYS_KEYRING_EVENTS, KEYS_VERIFIER_STATE), "metrics-", "metrics."
        ),
    }
)


def feeds_of(service: str) -> tuple[str, ...]:
    """The services whose feeds a service reads, because it listens to them."""
    return tuple(sorted({topic.partition(".")[0] for topic in RIGHTS[service].listens_to}))


def outsider(name: str, *, verifier: bool) -> KafkaRights:
    """Return what another team's service may do: read the public contract, and judge keys when it is a verifier."""
    topics = tuple(topic.name for topic in TOPICS if verifier or topic.name != KEYS_VERIFIER_STATE)
    return KafkaRights(topics, f"{name}-")
