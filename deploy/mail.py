"""A mail server for looking around: it delivers nothing and keeps the last messages. `mail serve`, `mail show you@example.com`."""

import argparse
import asyncio
import email
import email.policy
import signal
import sys
import time
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

_FOLDER = Path("/mail")
_KEPT = 500
_PATIENCE = 30.0  # seconds


class Folder:
    """Keeps each message as a file; names sort by arrival."""

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd looks for this name
        """Keep it."""
        keep(envelope.original_content or b"")
        return "250 Kept"


def keep(message: bytes) -> None:
    """Keep one and forget the oldest."""
    (_FOLDER / f"{time.time_ns()}.eml").write_bytes(message)
    for old in sorted(_FOLDER.glob("*.eml"))[:-_KEPT]:
        old.unlink()


async def serve() -> None:
    """Take messages until SIGTERM."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, over.set)
    server = await loop.create_server(lambda: SMTP(Folder(), hostname="localhost", enable_SMTPUTF8=True, loop=loop), "0.0.0.0", 2525)  # noqa: S104 - in a container of an internal network
    async with server:
        await over.wait()


def show(address: str) -> int:
    """Print the newest message to an address, waiting for one; 1 when none came."""
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        if _printed(address):
            return 0
        time.sleep(0.2)
    return 1


def _printed(address: str) -> bool:
    for file in sorted(_FOLDER.glob("*.eml"), reverse=True):
        mail = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
        body = mail.get_body()
        if address in str(mail["to"]) and body is not None:
            print(f"{mail['subject']}\n\n{body.get_content()}")
            return True
    return False


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve")
    commands.add_parser("show").add_argument("address")
    chosen = parser.parse_args()
    sys.exit(show(chosen.address) if chosen.command == "show" else asyncio.run(serve()))
