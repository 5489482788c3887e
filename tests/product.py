"""The whole product on a real stack: nine processes that a test can kill, freeze and start again, each by itself."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from stack.credentials import credential
from stack.endpoints import PartEndpoints
from stack.environment import portal_environment, service_environment
from stack.layout import ROOT, Layout, read_json
from stack.portal import PortalProcess
from stack.ports import HEALTH, HOST, SERVICES, free_ports
from stack.services import Service, ServiceProcess, service_client
from stack.testing import RealStack


class _Service(Service):
    """A service whose ports are free ones, and whose next start may be armed with a crash point."""

    def __init__(self, layout: Layout, name: str, parts: PartEndpoints, ports: Mapping[str, int]) -> None:
        super().__init__(layout, name, parts)
        self.ports = ports
        self.extra: dict[str, str] = {}
        self.always: dict[str, str] = {}

    def environment(self, *, owner: bool = False) -> dict[str, str]:
        """The stack's environment with our ports."""
        told = service_environment(
            self.name, database=self.database, parts=self._parts, ports=self.ports,
            master_key=super().environment()[f"{self.name.upper()}_MASTER_KEY"],
            client=read_json(self._layout.directory / "service-client.json") or {},
        )  # fmt: skip
        return {**super().environment(owner=owner), **told, **self.always, **self.extra}


class _Process(ServiceProcess):
    def __init__(self, layout: Layout, service: _Service, role: str) -> None:
        super().__init__(layout, service, role)
        self.port = service.ports[service.name] + HEALTH[role]
        self.told = service


class _Portal(PortalProcess):
    """The portal on a free port, before the same services."""

    def __init__(self, layout: Layout, ports: Mapping[str, int], port: int) -> None:
        super().__init__(layout)
        self.ports, self.public = ports, port
        self.always: dict[str, str] = {}
        self.port = port + HEALTH["main"]

    def told(self) -> dict[str, str]:
        """The stack's settings with our ports."""
        told = portal_environment(port=self.public, session_key=credential(self.layout, "portal.session_key"), ports=self.ports)
        return told | self.always


@dataclass
class Product:
    """Four services, two processes each, and the portal. `at` holds the base address of each service's HTTP API."""

    stack: RealStack
    layout: Layout
    services: dict[str, _Service]
    processes: dict[str, _Process]
    portal: _Portal
    dns_port: int

    @property
    def at(self) -> dict[str, str]:
        """Base addresses."""
        ports = next(iter(self.services.values())).ports
        return {name: f"http://{HOST}:{ports[name]}" for name in self.services}

    @property
    def pages(self) -> str:
        """Where the portal's pages are."""
        return f"http://{HOST}:{self.portal.public}"

    @cached_property
    def machine(self) -> dict[str, Any]:
        """The id and secret of a service client that may verify keys and read feeds."""
        return service_client(self.layout, self.services["identity"])

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
    ports, portal_port, dns_port = _ports()
    services = {name: _Service(layout, name, stack.endpoints, ports) for name in SERVICES}
    services["registry"].always = {"REGISTRY_DNS_SERVERS": f"{HOST}:{dns_port}"}
    processes = {f"{name}-{role}": _Process(layout, service, role) for name, service in services.items() for role in HEALTH}
    portal = _Portal(layout, ports, portal_port)
    product = Product(stack, layout, services, processes, portal, dns_port)
    everything = (*processes.values(), portal)
    with ThreadPoolExecutor(len(everything)) as pool:
        list(pool.map(lambda service: service.prepare(), services.values()))
        service_client(layout, services["identity"])
        starts = [pool.submit(process.start) for process in everything]
        try:
            for start in starts:
                start.result()
            yield product
        finally:
            wait(starts)  # a process that is stopped before it was started would stay
            list(pool.map(lambda process: process.stop(), everything))


def _ports() -> tuple[dict[str, int], int, int]:
    """Ports of the services, the portal and a name server; those of the health pages above them are free too."""
    *of_services, of_portal, of_dns = free_ports(len(SERVICES) + 2, beside=HEALTH.values())
    return dict(zip(SERVICES, of_services, strict=True)), of_portal, of_dns


def environment_of(product: Product, service: str) -> dict[str, str]:
    """What a process of this service is told, for a test that runs one itself."""
    return {**os.environ, **product.services[service].environment()}
