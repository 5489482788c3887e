"""The four parts that Latchkey stands on, started and stopped together."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from stack.layout import Layout
from stack.parts.kafka import Kafka
from stack.parts.mail import Mail
from stack.parts.part import Part
from stack.parts.postgres import Postgres
from stack.parts.valkey import Valkey
from stack.ports import PartPorts

__all__ = ["Kafka", "Mail", "Part", "Parts", "Postgres", "Valkey"]


@dataclass(frozen=True)
class Parts:
    """PostgreSQL, Valkey, Kafka and the mail catcher of one stack."""

    postgres: Postgres
    valkey: Valkey
    kafka: Kafka
    mail: Mail

    @staticmethod
    def of(layout: Layout, ports: PartPorts) -> "Parts":
        """Return the parts of this folder, running or not."""
        layout.make()
        kafka = Kafka(layout, ports.kafka, ports.kafka_controller)
        return Parts(Postgres(layout, ports.postgres), Valkey(layout, ports.valkey), kafka, Mail(layout, ports.mail))

    @property
    def all(self) -> tuple[Part, ...]:
        return (self.postgres, self.valkey, self.kafka, self.mail)

    def start(self, started: Callable[[Part], None] = lambda _: None) -> None:
        """Start all four at once and return when all answer; `started` hears of each. Raises the first Trouble."""

        def start(part: Part) -> None:
            part.start()
            started(part)

        with ThreadPoolExecutor(len(self.all)) as pool:
            for one in [pool.submit(start, part) for part in self.all]:
                one.result()

    def stop(self) -> None:
        """Stop all four at once; all are gone when this returns."""
        with ThreadPoolExecutor(len(self.all)) as pool:
            for one in [pool.submit(part.stop) for part in self.all]:
                one.result()
