"""The public language: every event is on a topic of ours, and no field of any holds personal data or a secret."""

from typing import get_args

import pytest
from latchkey.events import EVENTS, PublicEvent
from latchkey.topics import BY_NAME, TOPICS
from pydantic import BaseModel, SecretBytes, SecretStr

# A field is public because somebody put it here on purpose, after asking whose data it is.
ALLOWED = {
    *("account_id", "registered_at", "generation", "session_id"),
    *("app_id", "owner_id", "product_id", "name", "country", "status", "changed", "logo_hash", "subscription_id", "domain"),
    *("ring_id", "environment", "pair_id", "lineage_id", "public_key", "secret_last_four", "expires_at", "scopes"),
    *("allowed_origins", "allowed_ips", "old_pair_id", "new_pair_id", "old_valid_until", "reason"),
    *("transaction_id", "amount", "currency", "previous_status", "provider_status", "payment_mode", "payment_gateway"),
    *("reference", "occurred_at"),
}
PERSONAL = ("mail", "phone", "address", "city", "postal", "password", "token", "digest", "first", "surname", "birth")


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_no_public_event_has_a_personal_field_or_a_secret(event: type[PublicEvent]) -> None:
    assert set(event.model_fields) <= ALLOWED
    for name, field in event.model_fields.items():
        assert not any(word in name for word in PERSONAL)
        types = {field.annotation, *get_args(field.annotation)}
        assert not types & {SecretStr, SecretBytes, bytes}
        assert not any(isinstance(kind, type) and issubclass(kind, BaseModel) for kind in types)


def test_a_personal_field_would_be_seen() -> None:
    class Leaky(PublicEvent):
        email: str

    assert not set(Leaky.model_fields) <= ALLOWED
    assert not any(word in name for name in ALLOWED for word in PERSONAL)


@pytest.mark.parametrize("event", EVENTS.values(), ids=EVENTS)
def test_an_event_belongs_to_its_service_and_topic(event: type[PublicEvent]) -> None:
    service = event.event_name.split(".")[0]
    assert event.topic.startswith(f"{service}.")
    assert not BY_NAME[event.topic].compacted
    assert event.event_type == f"{event.event_name}.v{event.version}"
    assert event.model_config.get("frozen") is True
    assert event.model_config.get("extra") == "ignore"


def test_partitions_are_for_life() -> None:
    assert {topic.name: topic.partitions for topic in TOPICS if topic.partitions != 12} == {"keys.verifier.state.v1": 1}
    assert len(BY_NAME) == len(TOPICS)
