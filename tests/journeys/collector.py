"""A collector of traces as OpenTelemetry's exporters meet it: OTLP over real HTTP, each span kept with the process that sent it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass(frozen=True)
class Kept:
    """A span and who sent it."""

    process: str
    span: Span

    @property
    def told(self) -> dict[str, str]:
        """Its attributes, as texts."""
        return _texts(self.span.attributes)


@dataclass
class Collector:
    """What arrived so far."""

    endpoint: str = ""
    bodies: list[bytes] = field(default_factory=list)

    def of(self, trace: str) -> dict[tuple[str, str], Kept]:
        """The spans of one trace, by process and name."""
        found: dict[tuple[str, str], Kept] = {}
        for body in self.bodies:
            for sent in ExportTraceServiceRequest.FromString(body).resource_spans:
                process = _texts(sent.resource.attributes)["service.name"]
                for span in (span for scope in sent.scope_spans for span in scope.spans):
                    if span.trace_id.hex() == trace:
                        found[process, span.name] = Kept(process, span)
        return found


def _texts(attributes: "list[KeyValue]") -> dict[str, str]:
    return {one.key: one.value.string_value or str(one.value.int_value) for one in attributes}


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """A collector on a free port of 127.0.0.1."""
    collector = Collector()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := (await reader.readuntil(b"\r\n\r\n")).lower():
                assert head.startswith(b"post /v1/traces ")
                length = next(int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
                collector.bodies.append(await reader.readexactly(length))
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n")
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    async with server:
        collector.endpoint = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield collector
        server.close()
