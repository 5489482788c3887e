"""HTTP load with wrk, pinned to one core while the server under test has the other."""

import asyncio
import json
import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass

import psutil

from benchmarks.measure import LOAD_CORE, QUICK, SERVER_CORE, pin

CONNECTIONS = 32
SECONDS = 1 if QUICK else 3


class NoLoadGenerator(Exception):
    """wrk is not installed (Debian: apt-get install wrk)."""


@dataclass(frozen=True)
class Request:
    """What is sent again and again; `{n}` in the body becomes a number that no request before had."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] | None = None
    body: str | None = None

    def script(self) -> str:
        """For wrk."""
        lines = [f'wrk.method = "{self.method}"']
        lines += [f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}" for name, value in (self.headers or {}).items()]
        if self.body and "{n}" in self.body:
            before, after = self.body.split("{n}")
            lines += [
                "local n = os.time() * 1000000",
                "request = function()",
                "  n = n + 1",
                f"  return wrk.format(nil, nil, nil, {json.dumps(before)} .. string.format('%d', n) .. {json.dumps(after)})",
                "end",
            ]
        elif self.body:
            lines.append(f"wrk.body = {json.dumps(self.body)}")
        lines += ["done = function(summary) io.write('status errors ' .. summary.errors.status .. '\\n') end"]
        return "\n".join(lines)


@dataclass(frozen=True)
class Loaded:
    """Requests a second, median and 99th percentile in milliseconds, and the server's CPU microseconds a request."""

    rate: float
    p50_ms: float
    p99_ms: float
    cpu_us: float


async def load(request: Request, server: psutil.Process, seconds: int = SECONDS, connections: int = CONNECTIONS) -> Loaded:
    """Closed loop. Raises NoLoadGenerator, or RuntimeError when the server refuses what is sent."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise NoLoadGenerator
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(request.script())
        script.flush()
        before = sum(server.cpu_times()[:2])
        running = await asyncio.create_subprocess_exec(
            wrk, "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", script.name, request.url,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        pin(LOAD_CORE, running.pid)
        out = (await running.communicate())[0].decode()
    used = sum(server.cpu_times()[:2]) - before
    errors = re.search(r"status errors (\d+)", out)
    if running.returncode or errors is None or int(errors[1]) or " 0 requests in" in out:
        raise RuntimeError(f"{request.url}: {out[-500:]}")
    total, rate = int(_found(r"(\d+) requests in", out)), float(_found(r"Requests/sec:\s+([\d.]+)", out))
    p50, p99 = (_milliseconds(_found(rf"{share}%\s+([\d.]+[a-z]+)", out)) for share in (50, 99))
    return Loaded(rate, p50, p99, 1e6 * used / total)


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise RuntimeError(text[-500:])
    return match[1]


def _milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)([a-z]+)", text).groups()  # type: ignore[union-attr]  # wrk's own format
    return float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]


def server_core(pid: int) -> psutil.Process:
    """The process, kept on the server's core."""
    return moved(pid, SERVER_CORE)


def moved(pid: int, core: int) -> psutil.Process:
    """The process with all its threads, kept on this core."""
    process = psutil.Process(pid)
    for thread in process.threads():
        pin(core, thread.id)
    return process
