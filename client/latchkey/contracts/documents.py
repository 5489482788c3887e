"""The files of the contract, as text: a schema and an example for each event version, the envelope, AsyncAPI 3.0."""

import json
from collections.abc import Mapping
from typing import Any, Final

from latchkey.contracts.samples import sample_envelope
from latchkey.envelope import CONTENT_TYPE, SCHEMA_PREFIX
from latchkey.events import EVENTS, PublicEvent
from latchkey.topics import (
    IDENTITY_ACCOUNT_EVENTS,
    IDENTITY_ERASURE_STATE,
    KEYS_KEYRING_EVENTS,
    KEYS_KEYRING_STATE,
    KEYS_VERIFIER_STATE,
    METRICS_TRANSACTION_EVENTS,
    REGISTRY_APP_EVENTS,
    REGISTRY_APP_STATE,
    REGISTRY_SUBSCRIPTION_EVENTS,
    TOPICS,
    Topic,
)

_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
_TEXT: Final = {"type": "string", "minLength": 1}
_ATTRIBUTES: Final[dict[str, Any]] = {
    "globalposition": {"type": "string", "pattern": "^[0-9]+$", "description": "orders the events of one source"},
    "specversion": {"const": "1.0"},
    "id": _TEXT | {"description": "<stream id>/<streamversion>"},
    "source": _TEXT | {"format": "uri-reference"},
    "type": _TEXT | {"pattern": r"^[a-z][a-z0-9_]*\.[A-Z][A-Za-z0-9]*\.v[1-9][0-9]*$"},
    "subject": _TEXT | {"description": "the stream id, which is the record's key too"},
    "time": {"type": "string", "format": "date-time"},
    "datacontenttype": {"const": "application/json"},
    "dataschema": _TEXT | {"format": "uri"},
    "streamversion": {"type": "integer", "minimum": 1, "description": "counts the public events of the subject, without a gap"},
    "partitionkey": _TEXT,
    "tenantid": _TEXT,
    "correlationid": _TEXT,
    "causationid": _TEXT,
    "traceparent": _TEXT,
    "data": {"type": "object"},
}
_OPTIONAL: Final = frozenset({"causationid", "traceparent"})
_STATE: Final[dict[str, Any]] = {
    "type": "object",
    "description": "the whole public state of a stream; a record without a value is the stream's end",
    "properties": {
        "globalposition": _ATTRIBUTES["globalposition"],
        "kind": _TEXT,
        "subject": _TEXT,
        "streamversion": {"type": "integer", "minimum": 1, "description": "a record at or below the version held is to be ignored"},
        "data": {"type": "object"},
    },
    "required": ["globalposition", "kind", "subject", "streamversion", "data"],
}
PURPOSE: Final = {
    IDENTITY_ACCOUNT_EVENTS: "Accounts, by id alone: that they came, were proven, signed out and went.",
    IDENTITY_ERASURE_STATE: "Accounts that were erased; never tombstoned.",
    REGISTRY_APP_EVENTS: "Apps: what became of each, without contact data.",
    REGISTRY_APP_STATE: "Every app as it stands now.",
    REGISTRY_SUBSCRIPTION_EVENTS: "Which account subscribes to which product.",
    KEYS_KEYRING_EVENTS: "The key pairs of each app and environment: made, rotated, refused.",
    KEYS_KEYRING_STATE: "Every keyring as it stands now, without any secret.",
    KEYS_VERIFIER_STATE: "Digests and rules of all keys, for verifiers only; the key `!` is the leader's heartbeat.",
    METRICS_TRANSACTION_EVENTS: "Transactions that apps recorded, and what became of them.",
}
"""What each topic is for, in a sentence."""


def contract() -> dict[str, str]:
    """Every file of the contract by its path inside `contracts/`."""
    files = {"asyncapi.json": _text(_asyncapi()), "schemas/envelope.v1.json": _text(envelope_schema())}
    for event_type, event in EVENTS.items():
        files[f"schemas/{event_type}.json"] = _text(event_schema(event))
        files[f"examples/{event_type}.json"] = _text(json.loads(sample_envelope(event)))
    return files


def event_schema(event: type[PublicEvent]) -> dict[str, Any]:
    """The JSON Schema of an event's data. It is open: a reader ignores fields it does not know."""
    identity = {"$schema": _DRAFT, "$id": SCHEMA_PREFIX + event.event_type}
    return identity | event.model_json_schema(mode="validation") | {"title": event.event_type}


def envelope_schema() -> dict[str, Any]:
    """The JSON Schema of the CloudEvents envelope around every event."""
    required = [name for name in _ATTRIBUTES if name not in _OPTIONAL]
    identity = {"$schema": _DRAFT, "$id": SCHEMA_PREFIX + "envelope.v1", "title": "envelope.v1"}
    return identity | {"type": "object", "properties": _ATTRIBUTES, "required": required}


def _asyncapi() -> dict[str, Any]:
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Latchkey events",
            "version": "1.0.0",
            "description": "Every public event of Latchkey on Kafka: at least once, in the order of its stream. "
            "The record's key is the stream id.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": {f"publish.{topic.name}": _operation(topic) for topic in TOPICS},
        "components": {
            "messages": {event_type: _message(event) for event_type, event in EVENTS.items()}
            | {"state": {"name": "state", "payload": _STATE}},
        },
    }


def _messages_of(topic: Topic) -> list[str]:
    return ["state"] if topic.compacted else [event_type for event_type, event in EVENTS.items() if event.topic == topic.name]


def _channel(topic: Topic) -> dict[str, Any]:
    return {
        "address": topic.name,
        "description": PURPOSE[topic.name],
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in _messages_of(topic)},
        "bindings": {"kafka": {"topic": topic.name, "partitions": topic.partitions, "topicConfiguration": _configuration(topic.config)}},
    }


def _configuration(config: Mapping[str, str]) -> dict[str, Any]:
    # AsyncAPI's Kafka binding gives these names their own types and refuses others.
    typed: dict[str, Any] = {"cleanup.policy": [config["cleanup.policy"]]}
    return typed | {name: int(config[name]) for name in ("retention.ms", "delete.retention.ms") if name in config}


def _operation(topic: Topic) -> dict[str, Any]:
    # The channel's name holds dots, which need no escaping in a JSON pointer.
    messages = [{"$ref": f"#/channels/{topic.name}/messages/{name}"} for name in _messages_of(topic)]
    return {"action": "send", "channel": {"$ref": f"#/channels/{topic.name}"}, "messages": messages}


def _message(event: type[PublicEvent]) -> dict[str, Any]:
    constraint = {"properties": {"type": {"const": event.event_type}, "data": {"$ref": f"schemas/{event.event_type}.json"}}}
    return {
        "name": event.event_type,
        "summary": (event.__doc__ or "").strip().splitlines()[0],
        "contentType": CONTENT_TYPE,
        "headers": {"type": "object", "properties": dict.fromkeys(("content-type", "ce_type", "ce_id", "traceparent"), _TEXT)},
        "payload": {"allOf": [{"$ref": "schemas/envelope.v1.json"}, constraint]},
        "examples": [{"name": event.event_type, "payload": json.loads(sample_envelope(event))}],
    }


def _text(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
