"""Latchkey's own processes: each answers once its `/readyz` says so."""

from http.client import HTTPConnection, HTTPException

from stack.parts.part import Part
from stack.ports import HOST


class OwnProcess(Part):
    """A process of ours; its `port` is the internal one, on which health is asked."""

    def prepare(self) -> None:
        """Nothing: tables are migrated before any process starts."""

    def answers(self) -> bool:
        return readiness(self.port) == "ready"


def readiness(port: int) -> str:
    """Return `ready`, or `not ready` with the reason, as the process at this internal port says this moment."""
    connection = HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace").strip()
        return "ready" if answer.status == 200 else f"not ready: {text[:100]}"
    except (OSError, HTTPException) as wrong:
        return f"not ready: {wrong}"
    finally:
        connection.close()
