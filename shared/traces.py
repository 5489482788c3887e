"""Traces: off, and then nothing is imported and nothing is done, unless OTEL_EXPORTER_OTLP_ENDPOINT says where spans go.

A span holds names of routes and of events, ids, statuses and codes: no address, no header, no body and no error's text.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from shared.http.exchange import Exchange
    from shared.spans import Spans

Carried = tuple[str, str, str | None]
"""An event's type, its id, and the traceparent of the request that caused it."""


class _Process:
    spans: ClassVar["Spans | None"] = None


def configure_traces(service: str, process: str) -> None:
    """Send this process's spans from now on, when the environment says where to; as `latchkey-<service>-<process>` unless
    OTEL_SERVICE_NAME has another name. The other variables of OpenTelemetry hold as well: samplers, headers, certificates, limits."""
    if os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        from shared.spans import Spans

        _Process.spans = Spans(os.environ.get("OTEL_SERVICE_NAME") or f"latchkey-{service}-{process}")


def is_traced() -> bool:
    """Whether spans are sent."""
    return _Process.spans is not None


def begin_request(exchange: "Exchange", method: str, *, parent: str | None) -> None:
    """Open the span of a request, when spans are sent; what the request causes lies under it."""
    if _Process.spans is not None:
        from shared.spans import traceparent_of

        exchange.span = _Process.spans.open("SERVER", method, parent, {"http.request.method": method})
        exchange.traceparent = traceparent_of(exchange.span)


def end_request(exchange: "Exchange", method: str, route: str) -> None:
    """End that span by its route, status and problem code."""
    if exchange.span is not None:
        from shared.spans import end

        exchange.span.update_name(f"{method} {route}")
        exchange.span.set_attributes(
            {"http.route": route, "http.response.status_code": exchange.status, "latchkey.code": exchange.code or ""}
        )
        end(exchange.span, failed=exchange.status >= 500)  # noqa: PLR2004 - where HTTP's faults of the server begin


@contextmanager
def carrying(kind: Literal["PRODUCER", "CONSUMER"], events: Iterable[Carried]) -> Iterator[None]:
    """A span for each event that belongs to a trace, for as long as the block lasts. A block that raises has failed them all."""
    spans, failed = _Process.spans, True
    if spans is None:
        yield
        return
    from shared.spans import end

    verb = "publish" if kind == "PRODUCER" else "process"
    known = {"messaging.system": "kafka", "messaging.operation.name": verb}
    opened = [spans.open(kind, f"{verb} {name}", parent, known | {"messaging.message.id": id_}) for name, id_, parent in events if parent]
    try:
        yield
        failed = False
    finally:
        for span in opened:
            end(span, failed=failed)
