"""The whole product on a real stack: eight processes that a test can kill, freeze and start again, each by itself."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from stack.endpoints import PartEndpoints
from stack.environment import service_environment
from stack.layout import ROOT, Layout
from stack.ports import HEALTH, HOST, SERVICES, free_ports
from stack.services import Service, ServiceProcess, make_service_client
from stack.testing import RealStack


class _Service(Service):
    """A service whose ports are free ones, and whose next start may be armed with a crash point."""

    def __init__(self, layout: Layout, name: str, parts: PartEndpoints, ports: Mapping[str, int]) -> None:
        super().__init__(layout, name, parts)
        self.ports = ports
        self.extra: dict[str, str] = {}

    def environment(self, *, owner: bool = False) -> dict[str, str]:
        """The stack's environment with our ports."""
        told = service_environment(
            self.name, database=self.database, parts=self._parts, ports=self.ports,
            master_key=super().environment()[f"{self.name.upper()}_MASTER_KEY"],
        )  # fmt: skip
        return {**super().environment(owner=owner), **told, **self.extra}


class _Process(ServiceProcess):
    def __init__(self, layout: Layout, service: _Service, role: str) -> None:
        super().__init__(layout, service, role)
        self.port = service.ports[service.name] + HEALTH[role]
        self.told = service


@dataclass
class Product:
    """Four services, two processes each. `at` holds the base address of each service's HTTP API."""

    stack: RealStack
    layout: Layout
    services: dict[str, _Service]
    processes: dict[str, _Process]

    @property
    def at(self) -> dict[str, str]:
        """Base addresses."""
        ports = next(iter(self.services.values())).ports
        return {name: f"http://{HOST}:{ports[name]}" for name in self.services}

    @cached_property
    def machine(self) -> dict[str, Any]:
        """The id and secret of a service client that may verify keys and read feeds."""
        return make_service_client(self.services["identity"])

    def start(self, name: str, **environment: str) -> None:
        """Start one process (`keys-main`) and wait until it is ready, unless it is armed to die."""
        process = self.processes[name]
        process.told.extra = environment
        if environment:
            process.child.start(process.command())
        else:
            process.start()
        process.told.extra = {}

    def kill(self, name: str) -> None:
        """SIGKILL."""
        self.processes[name].child.kill()

    def freeze(self, name: str) -> None:
        """SIGSTOP."""
        self.processes[name].child.send(signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """SIGCONT."""
        self.processes[name].child.send(signal.SIGCONT)

    def died(self, name: str, seconds: float) -> bool:
        """Whether it is gone within this time."""
        return self.processes[name].child.wait(seconds)

    def operate(self, service: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run an operator's command; its outcome is for the test to judge."""
        return subprocess.run(
            [sys.executable, "-m", f"services.{service}.ops", *arguments], check=False, capture_output=True, text=True,
            cwd=ROOT, env=self.services[service].environment(owner=True), stdin=subprocess.DEVNULL,
        )  # fmt: skip


@contextmanager
def running(stack: RealStack) -> Iterator[Product]:
    """The product on a stack that no other product uses, all processes ready; all of them gone afterwards."""
    layout = stack.postgres.layout
    ports = _ports()
    services = {name: _Service(layout, name, stack.endpoints, ports) for name in SERVICES}
    processes = {f"{name}-{role}": _Process(layout, service, role) for name, service in services.items() for role in HEALTH}
    product = Product(stack, layout, services, processes)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda service: service.prepare(), services.values()))
        try:
            list(pool.map(lambda process: process.start(), processes.values()))
            yield product
        finally:
            list(pool.map(lambda process: process.stop(), processes.values()))


def _ports() -> dict[str, int]:
    """Ports whose two neighbours, 1000 and 2000 above, are below what the kernel gives to outgoing connections."""
    return dict(zip(SERVICES, (port - 4000 for port in free_ports(len(SERVICES))), strict=True))


def environment_of(product: Product, service: str) -> dict[str, str]:
    """What a process of this service is told, for a test that runs one itself."""
    return {**os.environ, **product.services[service].environment()}
