"""Somebody who gives commands to a stack in a folder of its own, at ports of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from stack import ports
from stack.layout import ROOT, Layout
from stack.processes import Child
from stack.watch import CHILDREN


def all_ports(offset: int) -> list[int]:
    """Every port that a stack takes at this offset."""
    ours = [*ports.health_ports().values(), *ports.service_ports().values(), ports.portal_port()]
    return [port - ports.offset() + offset for port in [*vars(ports.fixed_part_ports()).values(), *ours]]


class Person:
    """See the module."""

    def __init__(self, directory: Path, offset: int) -> None:
        self.layout, self.offset = Layout(directory), offset

    @property
    def environment(self) -> Mapping[str, str]:
        """What their commands are told."""
        return {**os.environ, "LATCHKEY_PORT_OFFSET": str(self.offset), "COLUMNS": "200"}

    def says(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Give one command to the stack."""
        command = [sys.executable, "-m", "stack", words[0], "--dir", str(self.layout.directory), *words[1:]]
        return subprocess.run(
            command, check=False, capture_output=True, text=True, cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL
        )

    def goes_up(self) -> str:
        """Bring the stack up; what was printed."""
        result = self.says("up")
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def pids(self) -> dict[str, int]:
        """The processes of the stack that live, by name."""
        pids = {name: Child(self.layout, name).pid for name in CHILDREN}
        return {name: pid for name, pid in pids.items() if pid is not None}
