"""From whatever was raised to an RFC 9457 problem document, without a word about our insides."""

import math
from collections.abc import Mapping
from typing import Any, Final

import asyncpg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from pydantic_core import to_json
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route

from shared.errors import FieldError, Invalid, Malformed, OutcomeUnknown, Refusal, TooLarge, TooManyRequests, Unavailable
from shared.http.exchange import Exchange, exchange_of
from shared.http.refusals import MethodNotAllowed, RouteUnknown

MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:latchkey:problem:"
LOST: Final = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shutting down, crashed, not yet accepting connections, a statement's deadline
    asyncpg.InsufficientResourcesError,  # its disk or its memory is full, or its connections are all taken
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what asyncpg makes of a connection that was cut in the middle of an exchange
)
"""What a driver raises when its server is away, or not able: nobody's fault here, so 503 and not 500."""

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_STATUSES: Final[Mapping[int, type[Refusal]]] = {400: Malformed, 404: RouteUnknown, 405: MethodNotAllowed, 413: TooLarge}
_log = structlog.get_logger()


def document(refusal: Refusal, request_id: str) -> bytes:
    """The problem document as JSON."""
    return to_json(
        {
            "type": TYPE_PREFIX + refusal.code,
            "title": refusal.title,
            "status": refusal.status,
            "code": refusal.code,
            "detail": refusal.detail or refusal.title,
            "request_id": request_id,
            "errors": [{"pointer": e.pointer, "code": e.code, "detail": e.detail} for e in refusal.errors],
        }
    )


def answer(refusal: Refusal, exchange: Exchange, headers: Mapping[str, str] | None = None) -> Response:
    """The response to a refusal: the document, and the headers that its status asks for."""
    exchange.code = refusal.code
    response = Response(document(refusal, exchange.request_id), refusal.status, headers, MEDIA_TYPE)
    response.headers["cache-control"] = "no-store"
    if refusal.status == 401:  # noqa: PLR2004 - the status itself
        response.headers["www-authenticate"] = 'Bearer realm="latchkey"'
    if isinstance(refusal, TooManyRequests | Unavailable):
        response.headers["retry-after"] = str(max(1, math.ceil(refusal.retry_after or 1)))
    if isinstance(refusal, TooLarge):
        response.headers["connection"] = "close"  # the rest of the body is not read
    return response


def install(app: FastAPI) -> None:
    """Answer everything that a route can raise; what is left over is the edge's 500."""
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _raised_by_framework)
    for lost in LOST:
        app.add_exception_handler(lost, _lost)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refusal)  # noqa: S101 - tells mypy what this handler was registered for
    return answer(error, exchange_of(request.scope))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - tells mypy what this handler was registered for
    faults = error.errors()
    unreadable = any(fault["type"] == "json_invalid" for fault in faults)
    refusal = Malformed("The body is not JSON.") if unreadable else Invalid(errors=tuple(_field(fault) for fault in faults))
    return answer(refusal, exchange_of(request.scope))


async def _raised_by_framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - tells mypy what this handler was registered for
    exchange = exchange_of(request.scope)
    refusal = TooLarge if exchange.too_large else _STATUSES.get(error.status_code, Malformed)
    headers = {"allow": _allowed(request)} if refusal is MethodNotAllowed else error.headers
    return answer(refusal(), exchange, headers)


async def _lost(request: Request, error: Exception) -> Response:
    if isinstance(error, ClientDisconnect):
        raise error
    # A command's own outcome was classified by the store; here it is some other call, and perhaps after the commit.
    refusal = Unavailable() if request.method in _SAFE else OutcomeUnknown()
    exchange = exchange_of(request.scope)
    _log.warning("a store is away", error=type(error).__name__, request_id=exchange.request_id)
    return answer(refusal, exchange)


def _allowed(request: Request) -> str:
    """All methods of the address: the framework names those of the first route only."""
    path = request.scope["path"]
    routes = [route for route in request.app.routes if isinstance(route, Route) and route.path_regex.match(path)]
    return ", ".join(sorted({method for route in routes for method in route.methods or ()}))


def _field(fault: Mapping[str, Any]) -> FieldError:
    place, *path = fault["loc"]
    if place == "body":
        pointer = "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)
    else:
        pointer = ".".join(str(step) for step in path)
    sentence = str(fault["msg"]).removeprefix("Value error, ").rstrip(".")
    return FieldError(pointer, fault["type"], f"{sentence[:1].upper()}{sentence[1:]}.")
