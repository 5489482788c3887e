"""Latency in an open loop: requests leave when they are due, whether or not earlier ones were answered.

A closed loop asks less of a server that stands still, and so hides that it stood still (coordinated omission). Here each request is counted
from the moment it was due. wrk has no such mode; this client is one process that never sleeps, on the load's core.
"""

import asyncio
import json
import sys
import time
from collections import deque
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

import uvloop

from benchmarks.load import Request
from benchmarks.measure import LOAD_CORE, QUICK, pin

CONNECTIONS, SECONDS, WARM_UP_SECONDS = 32, 1 if QUICK else 4, 0.5


async def open_loop(request: Request, rate: float) -> float:
    """The 99th percentile in milliseconds at so many requests a second. Raises RuntimeError when not all were answered with 200."""
    told = json.dumps(asdict(request))
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.openloop", told, str(rate), stdout=asyncio.subprocess.PIPE
    )
    pin(LOAD_CORE, child.pid)
    out = (await child.communicate())[0].decode()
    if child.returncode:
        raise RuntimeError(f"{request.url}: not every request was answered in time with 200")
    return float(out)


class _Connection(asyncio.Protocol):
    """Sends one request at a time; `late` gets the seconds from when it was due to its answer."""

    def __init__(self, idle: "deque[_Connection]", late: list[float]) -> None:
        self._idle, self._late = idle, late
        self._came, self._due = b"", 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._idle.append(self)

    def ask(self, raw: bytes, due: float) -> None:
        self._due = due
        self._transport.write(raw)  # type: ignore[attr-defined]  # a connection's transport can write

    def data_received(self, data: bytes) -> None:
        self._came += data
        head, found, body = self._came.partition(b"\r\n\r\n")
        if not found or len(body) < _length(head):
            return
        self._came = b""
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(head.decode())
        self._late.append(time.perf_counter() - self._due)
        self._idle.append(self)


def _length(head: bytes) -> int:
    return int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])


def _raw(request: Request) -> bytes:
    url, body = urlsplit(request.url), (request.body or "").encode()
    lines = [f"{request.method} {url.path} HTTP/1.1", f"host: {url.netloc}", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (request.headers or {}).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def one_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Request) -> bytes:
    """The body of one answer, over a connection that stays: an HTTP client proper takes longer than the server that it asks."""
    writer.write(_raw(request))
    head = await reader.readuntil(b"\r\n\r\n")
    return await reader.readexactly(_length(head))


async def _measured(told: dict[str, Any], rate: float) -> float:
    request = Request(**told)
    url, raw = urlsplit(request.url), _raw(request)
    idle, late = deque[_Connection](), list[float]()
    for _ in range(CONNECTIONS):
        await asyncio.get_running_loop().create_connection(lambda: _Connection(idle, late), url.hostname or "", url.port or 80)
    began, number = time.perf_counter(), 0
    total = int(rate * (WARM_UP_SECONDS + SECONDS))
    while len(late) < total and time.perf_counter() - began < 3 * (WARM_UP_SECONDS + SECONDS):
        now = time.perf_counter()
        while number < total and idle and began + number / rate <= now:
            idle.popleft().ask(raw, began + number / rate)
            number += 1
        await asyncio.sleep(0)
    if len(late) < total:
        raise RuntimeError(f"{total - len(late)} of {total} were not answered")
    counted = sorted(late[int(rate * WARM_UP_SECONDS) :])
    return 1000 * counted[int(0.99 * len(counted))]


if __name__ == "__main__":
    print(uvloop.run(_measured(json.loads(sys.argv[1]), float(sys.argv[2]))))
