"""The one middleware: ids, body limit, security headers, metrics and the access line, in plain ASGI."""

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from prometheus_client import CollectorRegistry, Histogram
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.errors import Refusal, TooLarge
from shared.http.exchange import KEY, Exchange, begin
from shared.http.problems import answer
from shared.telemetry import failure, write_safe
from shared.traces import begin_request, end_request

Headers = Sequence[tuple[bytes, bytes]]
API_HEADERS: Final[Headers] = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_DISCONNECTED: Final = 499  # nginx's number for a client that did not wait


class HttpMetrics:
    """Counts and durations by route template, method and status: never by a path, so their number is bounded."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ("method", "route", "status")
        self._seconds = Histogram(
            "http_request_seconds", "Duration of requests", labels, registry=registry,
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
        )  # fmt: skip
        self._children: dict[tuple[str, str, int], Any] = {}

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        place = (method, route, status)
        child = self._children.get(place)
        if child is None:
            child = self._children[place] = self._seconds.labels(*map(str, place))
        child.observe(seconds)


class Edge:
    """Outermost of our own: whatever happens inside, one answer with a request id leaves, and one line is logged."""

    def __init__(
        self, app: ASGIApp, *, body_limit: int, metrics: HttpMetrics, headers: Headers = API_HEADERS,
        refuse: Callable[[Refusal, Exchange], ASGIApp] = answer,
    ) -> None:  # fmt: skip
        """`body_limit` is in bytes and holds for declared and for chunked bodies alike; `refuse` makes the answer to what nobody caught."""
        self._app, self._limit, self._metrics, self._headers, self._refuse = app, body_limit, metrics, headers, refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        exchange, length = _met(scope)
        scope[KEY] = exchange

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                headers = message["headers"] = [
                    *message.get("headers", ()),
                    *self._headers,
                    (b"x-request-id", exchange.request_id.encode()),
                ]
                if not any(name == b"cache-control" for name, _ in headers):
                    headers.append((b"cache-control", b"no-store"))
            await send(message)

        try:
            await self._inside(scope, _limited(receive, self._limit, exchange), sending, length)
        finally:
            self._done(scope, exchange, time.perf_counter() - started)

    async def _inside(self, scope: Scope, receive: Receive, send: Send, length: int) -> None:
        exchange: Exchange = scope[KEY]
        try:
            if length > self._limit:
                raise TooLarge  # noqa: TRY301 - answered where every other refusal of the edge is
            await self._app(scope, receive, send)
        except ClientDisconnect:
            exchange.status = exchange.status or _DISCONNECTED
        except Exception as error:
            if not isinstance(error, Refusal):
                failure("request failed", error, request_id=exchange.request_id)
            if exchange.status:  # the answer had begun; the server cuts the connection, which the client can tell from an end
                raise
            await self._refuse(error if isinstance(error, Refusal) else Refusal(), exchange)(scope, receive, send)

    def _done(self, scope: Scope, exchange: Exchange, seconds: float) -> None:
        route, method = getattr(scope.get("route"), "path", "unknown"), _method(scope)
        self._metrics.observe(method, route, exchange.status, seconds)
        end_request(exchange, method, route)
        write_safe(
            {
                "event": "request",
                "timestamp": time.time(),
                "method": method,
                "route": route,
                "status": exchange.status,
                "code": exchange.code,
                "ms": round(seconds * 1000, 2),
                "request_id": exchange.request_id,
                "trace": exchange.traceparent[3:35],
                "actor": exchange.caller.actor if exchange.caller else "unknown",
            }
        )


def _met(scope: Scope) -> tuple[Exchange, int]:
    request_id, traceparent, length = None, None, 0
    for name, value in scope["headers"]:
        if name == b"x-request-id":
            request_id = value.decode("latin-1")
        elif name == b"traceparent":
            traceparent = value.decode("latin-1")
        elif name == b"content-length" and value.isdigit():
            length = int(value[:20])
    exchange = begin(request_id, traceparent)
    begin_request(exchange, _method(scope), parent=traceparent if exchange.traceparent == traceparent else None)
    return exchange, length


def _method(scope: Scope) -> str:
    method: str = scope["method"]
    return method if method.isalpha() and len(method) < 10 else "OTHER"  # noqa: PLR2004 - DISCONNECT has ten


def _limited(receive: Receive, limit: int, exchange: Exchange) -> Receive:
    seen = 0

    async def counting() -> Message:
        nonlocal seen
        message = await receive()
        if message["type"] == "http.request":
            seen += len(message.get("body", b""))
            if seen > limit:
                exchange.too_large = True  # a form parser may turn the exception below into its own
                raise TooLarge
        return message

    return counting
