"""What a start consists of: steps, each with the steps that must be done before it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Event

from latchkey.topics import TOPICS

from stack.blocking import run
from stack.endpoints import part_endpoints, write_endpoints, write_part_endpoints
from stack.forked import Forked, Nursery
from stack.layout import Layout
from stack.parts import Parts
from stack.parts.jars import jars
from stack.parts.part import Part
from stack.portal import PortalProcess
from stack.ports import HEALTH, SERVICES, fixed_part_ports
from stack.services import Service, ServiceProcess, service_client
from stack.topics import make_topics


@dataclass(frozen=True)
class Step:
    """One line of the progress: work to do once the steps it needs are done, and the child that then has to be kept alive."""

    name: str
    work: Callable[[], None]
    needs: tuple[str, ...] = ()
    keeps: Part | None = None


@dataclass(frozen=True)
class Plan:
    """All steps, each after those it needs, and the children in the groups in which they are stopped."""

    steps: tuple[Step, ...]
    stop_order: tuple[Sequence[Part], ...]

    @staticmethod
    def of_everything(layout: Layout, nursery: Nursery, over: Event) -> "Plan":
        """Return the plan of `make up`: four parts, their topics and tables, nine processes. Setting `over` ends it early."""
        parts = Parts.of(layout, fixed_part_ports())
        addresses = part_endpoints(parts)
        services = {name: Service(layout, name, addresses) for name in SERVICES}
        processes = [ServiceProcess(layout, service, role) for service in services.values() for role in HEALTH]
        portal = PortalProcess(layout)
        for each in (*processes, portal):
            each.child = Forked(layout, each.name, nursery)

        def download() -> None:
            jars()

        def topics() -> None:
            run(make_topics(parts.kafka.bootstrap, TOPICS))

        def client() -> None:
            service_client(layout, services["identity"])

        def announce() -> None:
            write_part_endpoints(parts)
            owners = {name: service.database.owner for name, service in services.items()}
            write_endpoints(layout, parts, owners, service_client(layout, services["identity"]))

        steps = [
            Step("kafka jars", download),
            *(
                Step(part.name, partial(part.start, over=over), ("kafka jars",) if part is parts.kafka else (), keeps=part)
                for part in parts.all
            ),
            Step("topics", topics, needs=("kafka",)),
            *(Step(f"{name} tables", service.prepare, needs=("postgres",)) for name, service in services.items()),
            Step("service client", client, ("identity tables", "valkey")),
            *(
                Step(each.name, partial(each.start, over=over), ("mail", "topics", f"{each.service} tables", "service client"), keeps=each)
                for each in processes
            ),
            Step(portal.name, partial(portal.start, over=over), keeps=portal),
            Step("endpoints", announce, ("topics", "service client")),
        ]
        return Plan(tuple(steps), ([portal], processes, parts.all))
