"""Who listens where: fixed numbers for `make up`, free ones for tests."""

import os
import random
import socket
from collections.abc import Collection
from dataclasses import dataclass

from stack.layout import Layout, read_json, write_json

HOST = "127.0.0.1"
SERVICES = {"identity": 8001, "registry": 8002, "keys": 8003, "metrics": 8004}
PORTAL = 8080
HEALTH = {"main": 1000, "worker": 2000}


@dataclass(frozen=True)
class PartPorts:
    """The ports of the parts of one stack."""

    postgres: int
    valkey: int
    kafka: int
    kafka_controller: int
    mail: int


def offset() -> int:
    """Return by how much every port is moved: the variable LATCHKEY_PORT_OFFSET, so that two clones can run side by side."""
    return int(os.environ.get("LATCHKEY_PORT_OFFSET") or 0)


def service_ports() -> dict[str, int]:
    """Return the HTTP port of each service. Its health ports lie `HEALTH` above."""
    return {service: port + offset() for service, port in SERVICES.items()}


def portal_port() -> int:
    """Return the port of the web pages. Its health port lies above as a `main`'s does."""
    return PORTAL + offset()


def health_ports() -> dict[str, int]:
    """Return the internal port of each process of ours, by its name."""
    of_services = {f"{service}-{role}": port + above for service, port in service_ports().items() for role, above in HEALTH.items()}
    return {**of_services, "portal": portal_port() + HEALTH["main"]}


def fixed_part_ports() -> PartPorts:
    """Return the ports of the parts for `make up`."""
    by = offset()
    return PartPorts(postgres=15432 + by, valkey=16379 + by, kafka=19092 + by, kafka_controller=19093 + by, mail=11025 + by)


def free_part_ports(layout: Layout) -> PartPorts:
    """Return ports that were free when this folder's stack was first started, the same ever after."""
    chosen = layout.directory / "ports.json"
    if (kept := read_json(chosen)) is None:
        kept = dict(zip(PartPorts.__dataclass_fields__, free_ports(5), strict=True))
        write_json(chosen, kept)
    return PartPorts(**kept)


def free_ports(count: int, *, beside: Collection[int] = ()) -> list[int]:
    """Return ports that nobody listens on, and neither on those that lie so far above each of them, as `beside` says.

    They lie below the range from which the kernel gives ports to outgoing connections, so that a part that a test
    stops finds its own port still free when it starts again.
    """
    found: list[int] = []
    taken: set[int] = set()
    while len(found) < count:
        port = random.SystemRandom().randrange(20000, 32000 - max(beside, default=0))
        wanted = {port, *(port + above for above in beside)}
        if wanted.isdisjoint(taken) and all(map(is_free, wanted)):
            found.append(port)
            taken |= wanted
    return found


def is_free(port: int) -> bool:
    """Return whether a server could listen on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
