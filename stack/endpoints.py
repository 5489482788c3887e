"""Where everything of a stack is found, for programs and people."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from stack.layout import Layout, read_json, write_json
from stack.parts import Parts
from stack.ports import HOST, portal_port, service_ports
from stack.trouble import Trouble


@dataclass(frozen=True)
class PartEndpoints:
    """The addresses of the four parts, passwords included."""

    postgres_superuser: str
    redis: str
    kafka: str
    mail: str
    smtp_host: str
    smtp_port: int


def part_endpoints(parts: Parts) -> PartEndpoints:
    """Return the addresses of these parts."""
    return PartEndpoints(
        postgres_superuser=parts.postgres.dsn,
        redis=parts.valkey.url,
        kafka=parts.kafka.bootstrap,
        mail=str(parts.mail.layout.mail),
        smtp_host=HOST,
        smtp_port=parts.mail.port,
    )


def write_part_endpoints(parts: Parts) -> PartEndpoints:
    """Write `parts.json` beside the data, for programs that find a running stack by its folder."""
    found = part_endpoints(parts)
    write_json(parts.mail.layout.directory / "parts.json", asdict(found))
    return found


def read_part_endpoints(layout: Layout) -> PartEndpoints:
    """Return what was written there last. Raises Trouble when no parts were ever started in this folder."""
    found = read_json(layout.directory / "parts.json")
    if found is None:
        raise Trouble(f"No parts have been started in {layout.directory}: `python -m stack parts --dir {layout.directory}` does it.")
    return PartEndpoints(**found)


def write_endpoints(layout: Layout, parts: Parts, databases: Mapping[str, str], service_client: Mapping[str, str]) -> None:
    """Write `endpoints.json`, from which programs on this machine learn where everything is and who they may be.

    `databases` holds the owner's address of each service's database: who reads this file may look behind the services.
    """
    found = {
        "service_client": dict(service_client),
        **{service: f"http://{HOST}:{port}" for service, port in service_ports().items()},
        "portal": f"http://{HOST}:{portal_port()}",
        "kafka": parts.kafka.bootstrap,
        "postgres": dict(databases),
        "redis": parts.valkey.url,
        "mail": str(layout.mail),
    }
    write_json(layout.endpoints, found)
