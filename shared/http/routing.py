"""The route of every API: who calls is known first, then the body is read once, then FastAPI validates."""

import asyncio
import inspect
import json
import re
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any, ClassVar, Final, get_type_hints
from urllib.parse import parse_qsl

from fastapi import APIRouter, Request, Response, params
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from latchkey.deadline import within
from starlette.requests import ClientDisconnect

from shared.errors import FieldError, Invalid, Malformed, NotFound, UnsupportedMedia
from shared.http.caller import Access
from shared.http.exchange import exchange_of
from shared.http.given import Given, provided
from shared.http.refusals import BodyTooSlow

__all__ = ["UNKEYED", "Route", "Router", "provided", "read_body"]

UNKEYED: Final = {"x-idempotency-key": False}
"""For `openapi_extra` of a POST that makes something and still takes no Idempotency-Key: sign-in and refresh."""

_BODY_SECONDS: Final = 15.0
_CREATING: Final = frozenset({201, 202})
# NUL is no text for PostgreSQL and half a surrogate pair is no text at all; in JSON both can only come as an escape.
_UNSTORABLE_ESCAPE: Final = re.compile(rb"\\u(?:0000|[dD][89abAB][0-9a-fA-F]{2}|[dD][c-fC-F][0-9a-fA-F]{2})")
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")
_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class Route(APIRoute):
    """An API route that knows its `Access`. Raises TypeError when an endpoint does not declare exactly one."""

    answer_seconds: ClassVar[float] = 20.0  # until an answer begins, the body's arrival included; then it is 503. Streams go on.
    access: Access
    given: Mapping[str, Given]
    keyed: bool

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        self.given = _given(endpoint)
        found = [given for given in self.given.values() if isinstance(given, Access)]
        if len(found) != 1:
            raise TypeError(f"{path} must declare one caller: Person, requires(…), Anyone or an Access of its own")
        self.access = found[0]
        extra = options.get("openapi_extra") or {}
        creates = "POST" in (options.get("methods") or ()) and options.get("status_code") in _CREATING
        self.keyed = creates and extra.get("x-idempotency-key", True)
        super().__init__(path, _with_given(endpoint, self.given), **options)

    def get_route_handler(self) -> _Handler:
        """Wrap FastAPI's handler: 401 and 403 before 413 and 415, these before 400, 412, 428 and 422."""
        known = _query_names(self.dependant)
        reads_json = self.body_field is not None and not isinstance(self.body_field.field_info, params.Form)
        handle = super().get_route_handler()
        given = self.given

        async def answered(request: Request) -> Response:
            exchange = exchange_of(request.scope)
            exchange.caller = await self.access.identify(request)
            if "\0" in request.scope["path"]:
                raise NotFound
            if reads_json:
                await _check_json(request)
            exchange.given = {name: what.value(request) for name, what in given.items()}
            query: bytes = request.scope["query_string"]
            if query and known is not None:
                _check_query(query, known)
            return await handle(request)

        async def in_time(request: Request) -> Response:
            # asyncio.timeout is not enough: who is cancelled inside a driver gives its connection back first, which may take as long again.
            return await within(self.answer_seconds, answered(request))

        return in_time


class Router(APIRouter):
    """A router whose routes are `Route`s; its prefix is part of the paths."""

    def __init__(self, *, prefix: str = "", tags: list[str] | None = None) -> None:
        super().__init__(prefix=prefix, tags=[*(tags or [])], route_class=Route, redirect_slashes=False)


async def read_body(request: Request) -> bytes:
    """The whole body, kept for whoever reads it again. Raises BodyTooSlow, TooLarge from below, and ClientDisconnect."""
    pieces: list[bytes] = []
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            while True:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                pieces.append(message.get("body", b""))
                if not message.get("more_body", False):
                    break
    except TimeoutError:
        raise BodyTooSlow from None
    body = exchange_of(request.scope).body = b"".join(pieces)
    request._body = body  # noqa: SLF001 - where Starlette keeps it; its own reader costs twice as much
    return body


async def _check_json(request: Request) -> None:
    body = await read_body(request)
    if not body:
        return
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


def _given(endpoint: Callable[..., Any]) -> dict[str, Given]:
    hints = get_type_hints(endpoint, include_extras=True)
    return {name: extra for name, hint in hints.items() for extra in getattr(hint, "__metadata__", ()) if isinstance(extra, Given)}


def _with_given(endpoint: Callable[..., Any], given: Mapping[str, Given]) -> Callable[..., Any]:
    """The endpoint as FastAPI sees it: without the given parameters, with the request, from which they are put back."""

    async def called(*, given_by: Request, **values: Any) -> Any:
        return await endpoint(**values, **exchange_of(given_by.scope).given)

    hints = get_type_hints(endpoint, include_extras=True)
    signature = inspect.signature(endpoint)
    kept = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints.get(name, parameter.annotation))
        for name, parameter in signature.parameters.items()
        if name not in given
    ]
    kept.append(inspect.Parameter("given_by", inspect.Parameter.KEYWORD_ONLY, annotation=Request))
    called.__name__, called.__doc__, called.__module__ = endpoint.__name__, endpoint.__doc__, endpoint.__module__
    called.__signature__ = signature.replace(  # type: ignore[attr-defined] # inspect looks for it, though functions do not declare it
        parameters=kept,
        # `get_type_hints` makes a class of None, which FastAPI would take for the shape of an answer.
        return_annotation=hints.get("return", signature.return_annotation) if signature.return_annotation is not None else None,
    )
    return called


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
