"""The route of every API: who calls is known first, then the body is read once, then FastAPI validates."""

import asyncio
import json
import re
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Final
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, Request, Response, params
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from shared.errors import FieldError, Invalid, Malformed, NotFound, UnsupportedMedia
from shared.http.caller import Access, part
from shared.http.exchange import exchange_of
from shared.http.refusals import BodyTooSlow

UNKEYED: Final = {"x-idempotency-key": False}
"""For `openapi_extra` of a POST that makes something and still takes no Idempotency-Key: sign-in and refresh."""

_BODY_SECONDS: Final = 15.0
_CREATING: Final = frozenset({201, 202})
# NUL is no text for PostgreSQL and half a surrogate pair is no text at all; in JSON both can only come as an escape.
_UNSTORABLE_ESCAPE: Final = re.compile(rb"\\u(?:0000|[dD][89abAB][0-9a-fA-F]{2}|[dD][c-fC-F][0-9a-fA-F]{2})")
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


def provided(kind: type) -> Any:
    """Ask for the object of this class among `create_app(provides=…)`: `Commands = Annotated[KeyCommands, provided(KeyCommands)]`."""

    async def found(request: Request) -> Any:
        return part(request, kind)

    return Depends(found)


class Route(APIRoute):
    """An API route that knows its `Access`. Raises TypeError when a route does not declare exactly one."""

    access: Access
    keyed: bool

    def get_route_handler(self) -> _Handler:
        """Wrap FastAPI's handler: 401 and 403 before 413 and 415, these before 400 and 422."""
        found = [dependency.call for dependency in self.dependant.dependencies if isinstance(dependency.call, Access)]
        if len(found) != 1:
            raise TypeError(f"{self.path} must declare one caller: Person, requires(…), Anyone or an Access of its own")
        self.access = found[0]
        extra = self.openapi_extra or {}
        self.keyed = "POST" in (self.methods or ()) and self.status_code in _CREATING and extra.get("x-idempotency-key", True)
        known = _query_names(self.dependant)
        reads_json = self.body_field is not None and not isinstance(self.body_field.field_info, params.Form)
        handle = super().get_route_handler()

        async def checked(request: Request) -> Response:
            exchange = exchange_of(request.scope)
            exchange.caller = await self.access.identify(request)
            if "\0" in request.scope["path"]:
                raise NotFound
            query: bytes = request.scope["query_string"]
            if query and known is not None:
                _check_query(query, known)
            if reads_json:
                exchange.body = await _json_body(request)
            return await handle(request)

        return checked


class Router(APIRouter):
    """A router whose routes are `Route`s; its prefix is part of the paths."""

    def __init__(self, *, prefix: str = "", tags: list[str] | None = None) -> None:
        super().__init__(prefix=prefix, tags=[*(tags or [])], route_class=Route, redirect_slashes=False)


async def read_body(request: Request) -> bytes:
    """The whole body. Raises BodyTooSlow, or TooLarge from below."""
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            return await request.body()
    except TimeoutError:
        raise BodyTooSlow from None


async def _json_body(request: Request) -> bytes:
    body = await read_body(request)
    if not body:
        return body
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json" and not (media.startswith("application/") and media.endswith("+json")):
        raise UnsupportedMedia("Send application/json.")
    if _UNSTORABLE_ESCAPE.search(body):
        try:
            wrong = tuple(_unstorable(json.loads(body), ""))
        except (ValueError, RecursionError):
            raise Malformed("The body is not JSON.") from None
        if wrong:
            raise Invalid(errors=wrong)
    return body


def _unstorable(value: Any, pointer: str) -> Iterator[FieldError]:
    if isinstance(value, str):
        if _UNSTORABLE.search(value):
            yield FieldError(pointer, "string_unstorable", "Text must not hold NUL or half a surrogate pair.")
    elif isinstance(value, dict):
        for key, inner in value.items():
            step = _UNSTORABLE.sub("�", key).replace("~", "~0").replace("/", "~1")
            if step != key.replace("~", "~0").replace("/", "~1"):
                yield FieldError(f"{pointer}/{step}", "string_unstorable", "A name must not hold NUL or half a surrogate pair.")
            yield from _unstorable(inner, f"{pointer}/{step}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _unstorable(inner, f"{pointer}/{index}")


def _check_query(query: bytes, known: frozenset[str]) -> None:
    """Refuse unknown parameters, so that a misspelt filter is not silently no filter, and text that cannot be stored."""
    wrong = []
    for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True, errors="surrogateescape"):
        if name not in known:
            shown = _UNSTORABLE.sub("�", name)[:100]
            wrong.append(FieldError(shown, "extra_forbidden", "There is no such parameter."))
        elif _UNSTORABLE.search(value):
            wrong.append(FieldError(name, "string_unstorable", "Text must be UTF-8 without NUL."))
    if wrong:
        raise Invalid(errors=tuple(wrong))


def _query_names(dependant: Dependant) -> frozenset[str] | None:
    """The names of all declared parameters, also those of dependencies; None when a model collects them and refuses the rest itself."""
    names: set[str] = set()
    for field in dependant.query_params:
        if hasattr(field.field_info.annotation, "model_fields"):
            return None
        names.add(field.alias)
    for dependency in dependant.dependencies:
        inner = _query_names(dependency)
        if inner is None:
            return None
        names |= inner
    return frozenset(names)
