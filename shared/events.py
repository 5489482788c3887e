"""The event registry: stored name ⇄ class ⇄ schema version, upcasters, and the private JSON form with its sealed personal fields."""

import base64
import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, get_type_hints

from pydantic import TypeAdapter
from pydantic_core import to_json

from shared.personal import ERASED, PERSONAL
from shared.sealing import Cipher

E = TypeVar("E")
Json = dict[str, Any]
Upcaster = Callable[[Json], Json]
SEALED = "sealed"  # the one key that marks a sealed field: {"sealed": "<base64>", "subject": "acc_…"}


class UnknownStoredType(Exception):
    """The log holds an event type or schema version that this code does not know: an older release reads a newer log."""


@dataclass(frozen=True)
class _Kind:
    name: str
    schema: int
    adapter: TypeAdapter[Any]
    personal: tuple[str, ...]


class EventRegistry(Generic[E]):
    """Encodes and decodes the events of one service.

    `names` maps a stored name (`keys.KeyRevoked`, never a class path) to its class and present schema version;
    `upcasters` maps (stored name, n) to the pure function that lifts that event's JSON from schema n to n+1.
    """

    def __init__(self, names: Mapping[str, tuple[type[Any], int]], upcasters: Mapping[tuple[str, int], Upcaster] | None = None) -> None:
        """Raises ValueError when a step between schema 1 and the present one has no upcaster."""
        self._upcasters = dict(upcasters or {})
        self._by_name: dict[str, _Kind] = {}
        self._by_class: dict[type[Any], _Kind] = {}
        for name, (cls, schema) in names.items():
            missing = [n for n in range(1, schema) if (name, n) not in self._upcasters]
            if missing:
                raise ValueError(f"{name} has no upcaster from schema {missing}")
            kind = _Kind(name, schema, TypeAdapter(cls), personal_fields(cls))
            self._by_name[name] = self._by_class[cls] = kind

    def name_of(self, event: E) -> str:
        """The stored name of an event's class."""
        return self._by_class[type(event)].name

    def is_personal(self, event: E) -> bool:
        """Whether the event has personal fields, so that its subject's key is needed to store it."""
        return bool(self._by_class[type(event)].personal)

    def encode(self, event: E, *, stream_id: str, subject: str, cipher: Cipher | None) -> tuple[str, int, str]:
        """Stored name, schema version and private JSON; personal fields are sealed with `cipher`, the key of `subject`."""
        kind = self._by_class[type(event)]
        if not kind.personal:
            return kind.name, kind.schema, kind.adapter.serializer.to_json(event).decode()
        if cipher is None:
            raise ValueError(f"{kind.name} has personal fields and needs its subject's key")
        data: Json = kind.adapter.dump_python(event, mode="json")
        for field in kind.personal:
            sealed = cipher.seal(to_json(data[field]), f"{stream_id}/{kind.name}/{field}")
            data[field] = {SEALED: base64.b64encode(sealed).decode(), "subject": subject}
        return kind.name, kind.schema, to_json(data).decode()

    def subjects(self, name: str, data: str) -> Collection[str]:
        """Whose keys are needed to read this stored event."""
        kind = self._by_name.get(name)
        if kind is None or not kind.personal:
            return ()
        parsed = json.loads(data)
        return {value["subject"] for field in kind.personal if _is_sealed(value := parsed.get(field))}

    def decode(self, name: str, schema: int, data: str, *, stream_id: str, ciphers: Mapping[str, Cipher | None]) -> E:
        """The event, lifted to the present schema; a personal field whose subject has no cipher any more reads as ERASED.

        Raises UnknownStoredType for a name or schema from the future.
        """
        kind = self._by_name.get(name)
        if kind is None or schema > kind.schema:
            raise UnknownStoredType(f"{name} schema {schema}")
        if schema == kind.schema and not kind.personal:
            event: E = kind.adapter.validate_json(data)
            return event
        parsed: Json = json.loads(data)
        for field, value in parsed.items():
            if _is_sealed(value):
                parsed[field] = _unseal(value, ciphers, f"{stream_id}/{name}/{field}")
        for step in range(schema, kind.schema):
            parsed = self._upcasters[name, step](parsed)
        lifted: E = kind.adapter.validate_python(parsed)
        return lifted


def personal_fields(cls: type[Any]) -> tuple[str, ...]:
    """The names of a class's fields that are declared `Personal[…]`."""
    hints = get_type_hints(cls, include_extras=True)
    return tuple(name for name, hint in hints.items() if PERSONAL in getattr(hint, "__metadata__", ()))


def _is_sealed(value: object) -> bool:
    return isinstance(value, dict) and value.keys() == {SEALED, "subject"}


def _unseal(value: Mapping[str, str], ciphers: Mapping[str, Cipher | None], place: str) -> object:
    cipher = ciphers.get(value["subject"])
    return ERASED if cipher is None else json.loads(cipher.open(base64.b64decode(value[SEALED]), place))
