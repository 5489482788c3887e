"""Spans by OpenTelemetry's SDK, sent over OTLP/HTTP. Imported only where traces are asked for; `shared.traces` is the way in."""

from collections.abc import Mapping
from typing import Final, Literal

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

Kind = Literal["SERVER", "PRODUCER", "CONSUMER"]
_W3C: Final = TraceContextTextMapPropagator()


class Spans:
    """One process's spans. They are sent in batches by a thread of the SDK, which drops them rather than make anybody wait."""

    def __init__(self, name: str) -> None:
        """`name` is the process's; where to, how many and with which headers the standard variables OTEL_… say."""
        provider = TracerProvider(resource=Resource.create({SERVICE_NAME: name}))
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = provider.get_tracer("latchkey")

    def open(self, kind: Kind, name: str, parent: str | None, attributes: Mapping[str, str | int]) -> Span:
        """A span that begins now, under a traceparent or at the root of a trace of its own."""
        context = _W3C.extract({"traceparent": parent} if parent else {})
        return self._tracer.start_span(name, context, SpanKind[kind], attributes)


def traceparent_of(span: Span) -> str:
    """What to hand on, so that what follows lies under this span."""
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def end(span: Span, *, failed: bool) -> None:
    """The span ends now. A failure is a status without words: an error may repeat what somebody wrote."""
    if failed:
        span.set_status(StatusCode.ERROR)
    span.end()
