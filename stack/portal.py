"""The web pages as a process: it stands on the four services, and serves while any of them is away."""

import os
import sys
from typing import Final

from stack.credentials import credential
from stack.environment import portal_environment
from stack.layout import ROOT, Layout
from stack.ports import health_ports, portal_port, service_ports
from stack.processes import Command
from stack.serving import OwnProcess

NAME: Final = "portal"


class PortalProcess(OwnProcess):
    """The portal of one stack."""

    name = NAME

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout, health_ports()[NAME])

    def command(self) -> Command:
        told = self.told()
        return Command((sys.executable, "-m", "portal.main"), {**os.environ, "PYTHONUNBUFFERED": "1", **told}, ROOT)

    def told(self) -> dict[str, str]:
        """Its settings."""
        return portal_environment(port=portal_port(), session_key=credential(self.layout, "portal.session_key"), ports=service_ports())
