"""What the four parts have in common: start until it answers, stop, kill."""

import signal
import socket
import time
from abc import ABC, abstractmethod
from threading import Event
from typing import ClassVar

from stack.layout import Layout
from stack.ports import HOST
from stack.processes import Child, Command
from stack.trouble import Trouble


class Part(ABC):
    """One server that Latchkey needs. Its data and its port are the same after every stop, kill and start."""

    name: str
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, layout: Layout, port: int) -> None:
        self.layout, self.port = layout, port
        self.child = Child(layout, self.name)

    @abstractmethod
    def prepare(self) -> None:
        """Make data and settings where they are missing. Done before every start."""

    @abstractmethod
    def command(self) -> Command:
        """What to run."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it would serve a client now."""

    def start(self, seconds: float = 120, over: Event | None = None) -> None:
        """Start it unless it runs, and return once it answers, or as soon as `over` is set.

        Raises Trouble when it ends again and again, or is silent for this many seconds.
        """
        deadline = time.monotonic() + seconds
        if self.child.pid is None:
            self.prepare()
            self.child.start(self.command())
        deaths = 0
        while not self.answers() and not (over and over.is_set()):
            if self.child.pid is None:
                deaths += 1
                # After a SIGKILL its orphans may hold its lock for a moment more; a real defect ends it every time.
                if deaths > 4:
                    words = f"Its last words, from {self.child.log}:\n{self.child.last_words()}"
                    raise Trouble(f"{self.name} ends as soon as it starts. {words}")
                time.sleep(0.25 * deaths)
                self.child.start(self.command())
            if time.monotonic() > deadline:
                raise Trouble(f"{self.name} runs but has not answered for {seconds:.0f} s; see {self.child.log}.")
            time.sleep(0.03)

    def stop(self) -> None:
        """Stop it in order, its data safe on disk; gone when this returns."""
        self.child.stop(self.stop_signal, seconds=30)

    def kill(self) -> None:
        """End it as a power cut would; gone when this returns."""
        self.child.kill()

    def talk(self, request: bytes = b"") -> bytes:
        """Send this to its port and return the first bytes that come back; empty when it is not there."""
        try:
            with socket.create_connection((HOST, self.port), timeout=1) as connection:
                connection.sendall(request)
                return connection.recv(256)
        except OSError:
            return b""
