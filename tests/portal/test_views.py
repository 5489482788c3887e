"""What the portal reads of an answer is what the service's OpenAPI document promises: each field, and null only where it is allowed."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from types import UnionType
from typing import Any, Union, get_args, get_origin

import pytest
from fastapi import APIRouter
from fastapi.openapi.utils import get_openapi

from portal.apis.calls import View
from portal.apis.identity import Identity
from portal.apis.keys import Keys
from portal.apis.metrics import Metrics
from portal.apis.registry import Registry

pytestmark = pytest.mark.slow  # four OpenAPI documents
CLIENTS = {"identity": Identity, "registry": Registry, "keys": Keys, "metrics": Metrics}
_PLAIN = {"str": "x0", "int": 1, "bytes": b"x"}


class Told(Exception):
    """Ends a client's method once it has said what it asks for."""


@dataclass
class Recorder:
    """Stands where a client's calls are, and keeps the question instead of asking it."""

    asked: list[tuple[str, str, type[View] | None]]

    async def __call__(self, method: str, path: str, **_: object) -> Any:
        """A call whose answer has no body that is read."""
        self.asked.append((method, path, None))
        raise Told

    async def read(self, model: type[View], path: str, *, method: str = "GET", **_: object) -> Any:
        self.asked.append((method, path, model))
        raise Told

    async def stream(self, path: str, **_: object) -> Any:
        """A call whose answer is read piece by piece."""
        return await self("GET", path)

    read_seconds = 1.0


def questions(service: str) -> list[tuple[str, str, type[View] | None]]:
    """Everything that a client ever asks its service."""
    recorder = Recorder([])
    client = CLIENTS[service](recorder)  # type: ignore[arg-type]  # it stands in for Calls
    for name, method in inspect.getmembers(client, inspect.iscoroutinefunction):
        if name.startswith("_"):
            continue
        given = {of: _PLAIN.get(str(one.annotation).split("'")[1] if "'" in str(one.annotation) else str(one.annotation), {})
                 for of, one in inspect.signature(method).parameters.items() if one.default is one.empty}  # fmt: skip
        with pytest.raises(Told):
            _finished(method(**given))
    return recorder.asked


def _finished(coroutine: Any) -> None:
    """Run a coroutine that waits for nothing."""
    coroutine.send(None)


def document_of(service: str) -> dict[str, Any]:
    """What the service promises."""
    package = import_module(f"services.{service}.api")
    modules = [import_module(f"{package.__name__}.{found.name}") for found in iter_modules(package.__path__)]
    routes = [route for module in modules if isinstance(router := getattr(module, "router", None), APIRouter) for route in router.routes]
    return get_openapi(title=service, version="1", routes=routes)


def operation(document: dict[str, Any], method: str, path: str) -> dict[str, Any] | None:
    """The one that a request comes to: of the paths that fit, that with the most words of its own."""
    parts = path.split("/")
    fitting = [
        (sum(not word.startswith("{") for word in words), operations[method.lower()])
        for template, operations in document["paths"].items()
        if len(words := template.split("/")) == len(parts) and method.lower() in operations
        if all(word.startswith("{") or word == part for word, part in zip(words, parts, strict=True))
    ]
    return max(fitting, key=lambda found: found[0])[1] if fitting else None


def unkept(document: dict[str, Any], view: type[View], schema: Mapping[str, Any], at: str) -> Iterator[str]:
    """Every field that the view needs and the schema does not promise."""
    schema = _resolved(document, schema)
    for name, field in view.model_fields.items():
        shown = schema.get("properties", {}).get(name)
        # What has a default in an answer is always sent, though the document does not call it required.
        if shown is None or (field.is_required() and name not in schema.get("required", ()) and "default" not in shown):
            yield f"{at}.{name} is not promised"
            continue
        optional = type(None) in get_args(field.annotation)
        if not optional and {"type": "null"} in shown.get("anyOf", ()):
            yield f"{at}.{name} may be null"
        for inner, listed in _views(field.annotation):
            below = _resolved(document, shown)
            yield from unkept(document, inner, below["items"] if listed else below, f"{at}.{name}")


def _views(annotation: Any, *, listed: bool = False) -> Iterator[tuple[type[View], bool]]:
    """The views in a field's type, and whether they are the items of a list."""
    if isinstance(annotation, type) and issubclass(annotation, View):
        yield annotation, listed
    elif get_origin(annotation) in {Union, UnionType, Sequence}:
        for one in get_args(annotation):
            yield from _views(one, listed=listed or get_origin(annotation) is Sequence)


def _resolved(document: dict[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if "anyOf" in schema:
        schema = next(one for one in schema["anyOf"] if one.get("type") != "null")
    if "$ref" in schema:
        found: Mapping[str, Any] = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
        return found
    return schema


@pytest.mark.parametrize("service", CLIENTS)
def test_every_question_is_one_that_the_service_answers_with_what_is_read(service: str) -> None:
    document, asked = document_of(service), questions(service)
    assert len(asked) >= 5
    assert [f"{method} {path}" for method, path, _ in asked if operation(document, method, path) is None] == []
    broken: list[str] = []
    for method, path, view in asked:
        if view is not None:
            answers = (operation(document, method, path) or {})["responses"]
            schema = next(answers[status] for status in answers if status.startswith("2"))["content"]["application/json"]["schema"]
            broken += unkept(document, view, schema, f"{method} {path}: {view.__name__}")
    assert broken == []


def test_a_field_that_a_service_does_not_promise_is_noticed() -> None:
    class Imagined(View):
        app_id: str
        colour: str
        state: str

    found = unkept(document_of("registry"), Imagined, {"$ref": "#/components/schemas/AppAnswer"}, "App")
    assert list(found) == ["App.colour is not promised", "App.state may be null"]
