"""What the HTTP cases share: a running product with a developer in it, and the smallest server beside it."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg
import httpx2
import psutil

from benchmarks.load import moved, server_core
from benchmarks.measure import LOAD_CORE, SERVER_CORE, pin
from stack.layout import ROOT, Layout
from stack.ports import free_ports
from stack.testing import RealStack
from tests.people import Developer
from tests.product import Product, running

_WAITING: Final = "SELECT max(e.position) > (SELECT max(position) FROM es.relay) FROM es.events e WHERE e.public IS NOT NULL"


@contextmanager
def pinned_stack() -> Iterator[RealStack]:
    """A stack of our own: what is started before the block stays on the load's core, and from then on we are on the server's.

    A bench that is told to end by SIGTERM, as `timeout` does, stops what it started.
    """
    signal.signal(signal.SIGTERM, _end)
    pin(LOAD_CORE)
    with tempfile.TemporaryDirectory(prefix="latchkey-bench-") as folder:
        stack = RealStack(Layout(Path(folder)))
        try:
            stack.start()
            pin(SERVER_CORE)
            yield stack
        finally:
            stack.stop()


def _end(*_: object) -> None:
    """Once: a second word while things are being stopped would leave the rest of them running."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit("told to end by SIGTERM")


def chosen(cases: Sequence[str]) -> list[str]:
    """The cases that the command line names, by commas or blanks; all of them when it names none. Ends with a message at an unknown one."""
    named = [name for argument in sys.argv[1:] for name in argument.split(",")]
    if unknown := set(named) - set(cases):
        sys.exit(f"There is no case {', '.join(sorted(unknown))}. There are {', '.join(cases)}.")
    return named or list(cases)


@dataclass(frozen=True)
class Running:
    """A product, an app with keys, and who owns it."""

    product: Product
    developer: Developer
    app: dict[str, Any]
    pair: dict[str, Any]

    def server(self, name: str) -> psutil.Process:
        """A process of the product, moved to the server's core."""
        return server_core(self._pid(name))

    @contextmanager
    def alone(self, name: str) -> Iterator[psutil.Process]:
        """The same, with the other eight standing still: what they do at rest is a fifth of a core, which the load needs."""
        others = [self.product.processes[other].child for other in self.product.processes if other != name] + [self.product.portal.child]
        for other in others:
            other.send(signal.SIGSTOP)
        try:
            yield self.server(name)
        finally:
            for other in others:
                other.send(signal.SIGCONT)

    def aside(self) -> None:
        """Move all nine to the load's core."""
        for name in self.product.processes:
            moved(self._pid(name), LOAD_CORE)
        moved(self.product.portal.child.pid or 0, LOAD_CORE)

    def _pid(self, name: str) -> int:
        pid = self.product.processes[name].child.pid
        if pid is None:
            raise RuntimeError(f"{name} died")
        return pid


@asynccontextmanager
async def product_with_keys(stack: RealStack) -> AsyncIterator[Running]:
    """Everything up, as a journey's end leaves it."""
    with on_all_cores(stack) as product:
        async with with_keys(product) as found:
            yield found


@contextmanager
def on_all_cores(stack: RealStack) -> Iterator[Product]:
    """The product, started on all cores: with its migrations that takes 15 s, and 28 s on one. Then we are on the server's core again."""
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    try:
        with running(stack) as product:
            pin(SERVER_CORE)
            yield product
    finally:
        pin(SERVER_CORE)


@asynccontextmanager
async def with_keys(product: Product) -> AsyncIterator[Running]:
    """Somebody new with an app and keys, on a product whose processes all serve, each on the server's core, with nothing left to publish,
    whatever was done to them."""
    for process in (*product.processes.values(), product.portal):
        process.child.send(signal.SIGCONT)
        process.start()
        server_core(process.child.pid or 0)
    await published(product, *product.services)
    async with httpx2.AsyncClient(timeout=30) as http:
        developer = Developer(product, http)
        app, pair = await developer.everything(patience=60)
        yield Running(product, developer, app, pair)


async def published(product: Product, *services: str) -> None:
    """Wait until the relays of these services have nothing left to do. Raises TimeoutError after five minutes."""
    async with asyncio.timeout(300):
        for service in services:
            db = await asyncpg.connect(product.services[service].database.owner)
            while await db.fetchval(_WAITING):  # noqa: ASYNC110  # the relay is another process
                await asyncio.sleep(0.2)
            await db.close()


@contextmanager
def spawned(module: str, *arguments: str, environment: Mapping[str, str] | None = None) -> Iterator[psutil.Process]:
    """A module of ours as a process on the server's core, ended with the block."""
    with launched(sys.executable, "-m", module, *arguments, environment=environment) as process:
        yield process


@contextmanager
def launched(*argv: str, environment: Mapping[str, str] | None = None) -> Iterator[psutil.Process]:
    """A program on the server's core, ended with the block together with what it started. Its log goes to a file, as the product's do."""
    with tempfile.TemporaryFile() as log:
        told = {**os.environ, **(environment or {})}
        process = subprocess.Popen(argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, env=told, start_new_session=True)
    try:
        yield server_core(process.pid)
    finally:
        for sign in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, sign)
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)


@contextmanager
def hello() -> Iterator[tuple[str, psutil.Process]]:
    """The raw ASGI server: its address and process."""
    [port] = free_ports(1)
    with spawned("benchmarks.hello", str(port)) as process:
        yield f"http://127.0.0.1:{port}/", process


async def until_answers(url: str, process: psutil.Process | None = None, seconds: float = 20, status: int | None = None) -> None:
    """Wait for a server that was just started, for any answer or for this one. Raises TimeoutError; RuntimeError if it ends."""
    until = time.monotonic() + seconds
    async with httpx2.AsyncClient() as http:
        while time.monotonic() < until:
            with suppress(httpx2.TransportError):
                if (await http.get(url)).status_code == status or status is None:
                    return
            if process and process.status() == psutil.STATUS_ZOMBIE:
                raise RuntimeError(f"{url}: its process has ended")
            await asyncio.sleep(0.05)
    raise TimeoutError(url)
