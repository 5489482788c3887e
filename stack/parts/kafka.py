"""Apache Kafka 4.3 as one process: broker and controller together (KRaft), on the jars that Maven brings."""

import base64
import shutil
import struct
import subprocess
import uuid
from pathlib import Path

from stack.layout import Layout
from stack.parts.jars import jars
from stack.parts.part import Part
from stack.ports import HOST
from stack.processes import Command
from stack.trouble import Trouble

SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={home}/log
auto.create.topics.enable=false
group.initial.rebalance.delay.ms=0
# Every topic that Kafka keeps for itself has one copy, because there is one broker; few partitions make a quick start.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
# Memory for compaction: our state topics hold thousands of keys, not the hundred million of the default.
log.cleaner.dedupe.buffer.size=16777216
# A broker that was killed is let in again when its old session has ended: 9 s by default.
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=2000
num.network.threads=2
num.io.threads=4
"""
# ApiVersions, the first request of every client: api key 18, version 0, correlation id 1, no client id.
_API_VERSIONS = struct.pack("!ihhih", 10, 18, 0, 1, -1)


class Kafka(Part):
    """One broker that makes no topic by itself."""

    name = "kafka"

    def __init__(self, layout: Layout, port: int, controller_port: int) -> None:
        super().__init__(layout, port)
        self._controller_port = controller_port
        self._home = layout.data / "kafka"

    @property
    def bootstrap(self) -> str:
        """What a client is given to find the broker."""
        return f"{HOST}:{self.port}"

    def prepare(self) -> None:
        self._home.mkdir(exist_ok=True)
        self._settings.write_text(SETTINGS.format(port=self.port, controller=self._controller_port, home=self._home), "utf-8")
        if (self._home / "log" / "meta.properties").exists():
            return
        cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")  # it may begin with a dash, hence the = below
        tool = ("kafka.tools.StorageTool", "format", f"--cluster-id={cluster}", "--config", str(self._settings), "--ignore-formatted")
        made = subprocess.run([*self._java(), *tool], check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        if made.returncode != 0:
            raise Trouble(f"Kafka could not format its storage in {self._home}:\n{(made.stdout + made.stderr).strip()}")

    def command(self) -> Command:
        return Command((*self._java(), "kafka.Kafka", str(self._settings)), directory=self._home)

    def answers(self) -> bool:
        return len(self.talk(_API_VERSIONS)) > 8

    @property
    def _settings(self) -> Path:
        return self._home / "server.properties"

    def _java(self) -> tuple[str, ...]:
        java = shutil.which("java")
        if java is None:
            raise Trouble("Java is missing, and Kafka runs on it: install a JRE 17 (Debian: apt-get install openjdk-17-jre-headless).")
        # A quick start and little memory count for more here than the last tenth of throughput.
        tuning = ("-XX:TieredStopAtLevel=1", "-Xmx512m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
        return (java, *tuning, "-cp", f"{jars()}/*")
