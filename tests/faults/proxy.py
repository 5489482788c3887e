"""A TCP proxy between a service and a part of its stack, for the faults that only a network has."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

Verdict = Callable[[bytes], str]  # "pass", "cut before", "cut after" or "cut this" for what the client sends


@dataclass
class Proxy:
    """Forwards to one address. `verdict` judges each chunk from a client; `refusing` hangs up on new connections,
    `muted` swallows what the server answers."""

    port: int = 0
    refusing: bool = False
    muted: bool = False
    verdict: Verdict = lambda _chunk: "pass"
    writers: set[asyncio.StreamWriter] = field(default_factory=set)

    def url(self, original: str) -> str:
        """The same address, through the proxy."""
        parts = urlsplit(original)
        user = parts.netloc.rpartition("@")[0]
        return parts._replace(netloc=f"{user}@127.0.0.1:{self.port}" if user else f"127.0.0.1:{self.port}").geturl()

    def cut(self) -> None:
        """Break every connection that stands now, without a goodbye."""
        for writer in self.writers:
            writer.transport.abort()
        self.writers.clear()
        self.muted = False


@asynccontextmanager
async def proxy_to(original: str) -> AsyncIterator[Proxy]:
    """A proxy in front of the host and port of a URL, listening on 127.0.0.1 until the block ends."""
    target = urlsplit(original)
    proxy, tasks = Proxy(), set[asyncio.Task[Any]]()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if proxy.refusing:
            writer.transport.abort()
            return
        upstream_reader, upstream = await asyncio.open_connection(target.hostname, target.port)
        proxy.writers |= {writer, upstream}
        for pump in (_pump(reader, upstream, proxy, judged=True), _pump(upstream_reader, writer, proxy, judged=False)):
            task = asyncio.create_task(pump)
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.cut()
        for task in tuple(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, proxy: Proxy, *, judged: bool) -> None:
    with contextlib.suppress(ConnectionError, OSError):
        while chunk := await reader.read(65536):
            verdict = proxy.verdict(chunk) if judged else "pass"
            if verdict == "cut before":
                return proxy.cut()
            if verdict == "cut this":
                return writer.transport.abort()  # the other direction ends with it, and all other connections stand
            muted = verdict == "cut after" or proxy.muted
            proxy.muted = muted
            if judged or not muted:
                writer.write(chunk)
                await writer.drain()
            if verdict == "cut after":
                await asyncio.sleep(0.2)  # so that the server has done what it was sent; its answer goes nowhere
                return proxy.cut()
        writer.close()
    return None
