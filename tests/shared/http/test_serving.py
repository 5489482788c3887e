"""On real sockets: what a body without a length may weigh, and how a process ends."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx2 as httpx
import pytest

from tests.tokens import person

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import asyncio, sys
from contextlib import asynccontextmanager
from fastapi.responses import StreamingResponse
from shared.http.caller import Anyone
from shared.http.protocol import AtOnce
from shared.http.routing import Router
from shared.http.serving import run_main
from tests.shared.http.toy_api import Things, router, settings, toy

slow = Router()

@slow.get("/slow")
async def take_time(caller: Anyone) -> str:
    await asyncio.sleep(float(sys.argv[2]))
    return "done"

async def pieces():
    try:
        while True:
            await asyncio.sleep(0)
            yield b"x" * 100_000
    finally:
        print("stream ended", flush=True)

@slow.get("/endless")
async def endless(caller: Anyone) -> StreamingResponse:
    return StreamingResponse(pieces())

AtOnce.reader_seconds = 0.5

@asynccontextmanager
async def build(settings):
    app = toy(Things(), extra=[slow], port=settings.port, drain_seconds=0.3, graceful_seconds=1)
    try:
        yield app
    finally:
        print("pools closed", flush=True)

run_main("toy", settings(port=int(sys.argv[1])), build)
"""


class Process:
    """The toy service as a process of its own."""

    def __init__(self, port: int, child: asyncio.subprocess.Process) -> None:
        self.port, self.child = port, child
        self.public, self.internal = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port + 1000}"

    async def end(self) -> str:
        """Wait for the end, and give what it printed."""
        out, _ = await asyncio.wait_for(self.child.communicate(), 20)
        return out.decode()


def free_port() -> int:
    """Find a port that is free together with the one 1,000 above."""
    while True:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            port: int = first.getsockname()[1]
            with contextlib.suppress(OSError, OverflowError):
                second.bind(("127.0.0.1", port + 1000))
                return port


@contextlib.asynccontextmanager
async def running(slow_seconds: float = 0.5) -> AsyncIterator[Process]:
    port = free_port()
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PROGRAM, str(port), str(slow_seconds), cwd=ROOT, stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'client'}"},
    )  # fmt: skip
    process = Process(port, child)
    try:
        async with httpx.AsyncClient() as client:
            for _ in range(400):
                with contextlib.suppress(httpx.TransportError):
                    if (await client.get(f"{process.internal}/readyz")).status_code == 200:
                        await client.get(f"{process.public}/openapi.json")
                        break
                await asyncio.sleep(0.05)
        yield process
    finally:
        if child.returncode is None:
            child.kill()
            await child.communicate()


async def test_a_drain_turns_ready_red_first_then_finishes_requests_then_closes_pools() -> None:
    async with running(slow_seconds=0.8) as process, httpx.AsyncClient() as client:
        request = asyncio.create_task(client.get(f"{process.public}/slow"))
        await asyncio.sleep(0.2)
        process.child.send_signal(signal.SIGTERM)
        await asyncio.sleep(0.1)
        ready = await client.get(f"{process.internal}/readyz")
        still = await client.get(f"{process.public}/v1/numbers", headers=person())
        answer = await request
        out = await process.end()
    assert (ready.status_code, still.status_code, answer.status_code, answer.json()) == (503, 200, 200, "done")
    assert out.index('"draining"') < out.index('"route":"/slow"') < out.index("pools closed")
    assert process.child.returncode == 0


async def test_a_request_that_takes_longer_than_the_grace_does_not_hold_the_end() -> None:
    async with running(slow_seconds=30) as process, httpx.AsyncClient() as client:
        request = asyncio.create_task(client.get(f"{process.public}/slow", timeout=60))
        await asyncio.sleep(0.2)
        process.child.send_signal(signal.SIGTERM)
        out = await process.end()
        with contextlib.suppress(httpx.TransportError):
            assert (await request).status_code >= 500
    assert "pools closed" in out
    assert process.child.returncode == 0


async def test_a_chunked_body_is_cut_at_the_limit_without_waiting_for_the_rest() -> None:
    async with running() as process:
        reader, writer = await asyncio.open_connection("127.0.0.1", process.port)
        head = f"POST /v1/things HTTP/1.1\r\nHost: toy\r\nAuthorization: {person()['authorization']}\r\n"
        writer.write(f"{head}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n".encode())
        writer.write(b"3e8\r\n" + b" " * 1_000 + b"\r\n")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.2)  # at the limit, the server still waits
        writer.write(b"1\r\n \r\n")
        answer = await asyncio.wait_for(reader.read(), 5)  # up to the end of the connection
        writer.close()
        await writer.wait_closed()
    assert answer.startswith(b"HTTP/1.1 413")
    assert b'"request.too_large"' in answer


async def test_a_head_without_end_closes_the_connection() -> None:
    async with running() as process:
        reader, writer = await asyncio.open_connection("127.0.0.1", process.port)
        writer.write(b"GET /v1/numbers HTTP/1.1\r\nHost: toy\r\nX-Long: " + b"a" * 60_000)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.3)
        writer.write(b"a" * 6_000)
        assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
        await writer.wait_closed()
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"{process.public}/v1/numbers", headers=person())).status_code == 200


async def test_a_taken_port_ends_the_process_with_a_sentence() -> None:
    with socket.socket() as taken:
        port = free_port()
        taken.bind(("127.0.0.1", port))
        taken.listen()
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PROGRAM, str(port), "0", cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            env=os.environ | {"PYTHONPATH": f"{ROOT}:{ROOT / 'client'}"},
        )  # fmt: skip
        out = await Process(port, child).end()
    assert child.returncode not in {0, None}
    assert "pools closed" in out
    assert "address already in use" in out


async def test_a_client_that_reads_nothing_holds_no_stream() -> None:
    async with running() as process:
        reader, writer = await asyncio.open_connection("127.0.0.1", process.port, limit=1)
        writer.write(b"GET /endless HTTP/1.1\r\nHost: toy\r\n\r\n")
        assert process.child.stdout is not None
        async with asyncio.timeout(20):
            while b"stream ended" not in await process.child.stdout.readline():
                pass
        with contextlib.suppress(ConnectionError):  # or the end without the last, empty chunk
            assert not (await reader.read()).endswith(b"0\r\n\r\n")
        writer.close()
        process.child.send_signal(signal.SIGTERM)
        await process.end()
