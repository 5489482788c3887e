"""The test stack's PostgreSQL, Redis and Kafka as containers, started by testcontainers, with the same switches as local processes."""

import os
import secrets
import signal
from collections.abc import Iterator, Mapping
from typing import Any, cast

from requests.exceptions import RequestException
from testcontainers.core.container import DockerContainer

from stack.credentials import password
from stack.layout import Layout
from stack.parts import Kafka, Mail, Parts, Postgres, Valkey
from stack.parts.kafka import SETTINGS as KAFKA_SETTINGS
from stack.parts.postgres import SETTINGS as POSTGRES_SETTINGS
from stack.ports import HOST, free_part_ports
from stack.processes import Child, Command
from stack.testing import RealStack, remove
from tests.engine import IMAGES

# The public image sorts as people write, where local processes sort by code points: what only holds for one order is seen to fail.
_LOCALE = "--locale-provider=icu --icu-locale=en-US"
_OURS = ("listen_addresses", "unix_socket_directories")  # what an image decides for itself


class Contained(Child):
    """A child that is a container: its data is kept from one start to the next, and goes when it is removed."""

    def __init__(self, layout: Layout, name: str, container: DockerContainer) -> None:
        super().__init__(layout, name)
        self._container = container

    @property
    def pid(self) -> int | None:
        """The number of its first process while it runs."""
        engine = self._engine()
        if engine is None:
            return None
        engine.reload()
        return cast("int", engine.attrs["State"]["Pid"]) or None

    def start(self, command: Command) -> None:  # noqa: ARG002 - the image knows its command
        """Create it, or start it again."""
        engine = self._engine()
        if engine is None:
            self._container.start()
        else:
            engine.start()

    def send(self, sign: signal.Signals) -> None:
        """Signal it, if it lives; what freezes it freezes the whole container: its first process need not be the one that works."""
        engine = self._engine()
        if engine is None or self.pid is None:
            return
        match sign:
            case signal.SIGSTOP:
                engine.pause()
            case signal.SIGCONT if engine.status == "paused":
                engine.unpause()
            case _:
                engine.kill(sign.name)

    def stop(self, sign: signal.Signals = signal.SIGTERM, seconds: float = 20) -> None:
        """Stop it in order."""
        engine = self._engine()
        if engine is not None and self.pid is not None:
            self.send(signal.SIGCONT)
            engine.kill(sign.name)
            try:
                engine.wait(timeout=seconds)
            except RequestException:  # which is how the engine's client says that time is up
                self.kill()

    def kill(self) -> None:
        """SIGKILL."""
        engine = self._engine()
        if engine is not None and self.pid is not None:
            engine.kill("SIGKILL")
            engine.wait(timeout=20)

    def remove(self) -> None:
        """Leave nothing of it."""
        if self._engine() is not None:
            self._container.stop(force=True, delete_volume=True)

    def _engine(self) -> Any:
        return self._container._container  # None until it was created


class ContainedPostgres(Postgres):
    """PostgreSQL's public image, with our settings."""

    def __init__(self, layout: Layout, port: int) -> None:
        super().__init__(layout, port)
        words = [word for name, value in POSTGRES_SETTINGS.items() if name not in _OURS for word in ("-c", f"{name}={value}")]
        told = {"POSTGRES_PASSWORD": password(layout, "postgres.superuser"), "POSTGRES_INITDB_ARGS": _LOCALE}
        made = _container("postgres", 5432, port, told)
        self.child = Contained(layout, self.name, made.with_command(["postgres", *words]))

    def prepare(self) -> None:
        """The image does it."""


class ContainedRedis(Valkey):
    """Redis' public image, with our password."""

    def __init__(self, layout: Layout, port: int) -> None:
        super().__init__(layout, port)
        command = ["redis-server", "--requirepass", password(layout, "valkey"), "--save", "", "--appendonly", "no"]
        self.child = Contained(layout, self.name, _container("valkey", 6379, port, {}).with_command(command))

    def prepare(self) -> None:
        """The image does it."""


class ContainedKafka(Kafka):
    """Kafka's public image, with our settings, which come as variables: `a.b` is KAFKA_A_B."""

    def __init__(self, layout: Layout, port: int, controller_port: int) -> None:
        super().__init__(layout, port, controller_port)
        text = KAFKA_SETTINGS.format(port=9092, controller=9093, home="/var/lib/kafka/data").replace(f"//{HOST}:9092,C", "//:9092,C")
        lines = (line.partition("=") for line in text.splitlines() if not line.startswith("#"))
        told = {f"KAFKA_{name.replace('.', '_').upper()}": value for name, _, value in lines}
        told |= {"KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{HOST}:{port}", "KAFKA_HEAP_OPTS": "-Xmx512m -Xms128m"}
        self.child = Contained(layout, self.name, _container("kafka", 9092, port, told))

    def prepare(self) -> None:
        """The image does it."""


def own_container_stack(layout: Layout) -> Iterator[RealStack]:
    """A stack whose stores are containers and whose mail catcher is a process; nothing of it is left afterwards."""
    layout.make()
    ports = free_part_ports(layout)
    kafka = ContainedKafka(layout, ports.kafka, ports.kafka_controller)
    stores = (ContainedPostgres(layout, ports.postgres), ContainedRedis(layout, ports.valkey), kafka)
    found = RealStack(layout, Parts(*stores, Mail(layout, ports.mail)))
    try:
        found.start()
        yield found
    finally:
        try:
            found.stop()
        finally:
            for store in stores:
                cast("Contained", store.child).remove()
            remove(layout)


def _container(name: str, inner: int, outer: int, environment: Mapping[str, str]) -> DockerContainer:
    made = DockerContainer(IMAGES[name]).with_envs(**environment)
    made.with_name(f"{os.environ.get('LATCHKEY_TEST_PROJECT', 'latchkey-tests')}-{name}-{secrets.token_hex(4)}")
    cast("dict[Any, Any]", made.ports)[inner] = (HOST, outer)  # testcontainers' own way binds to every address of the machine
    return made
