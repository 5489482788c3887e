"""A mail server that delivers nothing: every message becomes one `.eml` file in a folder."""

import argparse
import asyncio
import os
import signal
import sys
import time
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

from stack.layout import ROOT
from stack.parts.part import Part
from stack.ports import HOST
from stack.processes import Command


class Mail(Part):
    """The catcher as a process of its own, so that it can be stopped like any other part."""

    name = "mail"

    def prepare(self) -> None:
        self.layout.mail.mkdir(exist_ok=True)

    def command(self) -> Command:
        argv = (sys.executable, "-m", "stack.parts.mail", "--port", str(self.port), "--directory", str(self.layout.mail))
        return Command(argv, directory=ROOT)

    def answers(self) -> bool:
        return self.talk().startswith(b"220")


class Folder:
    """What aiosmtpd hands each message to. File names sort by arrival; a file appears whole."""

    def __init__(self, directory: Path) -> None:
        self._directory, self._count = directory, 0

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd looks for this name
        self._count += 1
        name = f"{time.time_ns()}-{os.getpid()}-{self._count}"
        fresh = self._directory / f".{name}"
        fresh.write_bytes(envelope.original_content or b"")
        fresh.rename(self._directory / f"{name}.eml")
        return "250 Kept"


async def serve(port: int, directory: Path) -> None:
    """Take messages until SIGTERM."""
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, over.set)
    server = await loop.create_server(lambda: SMTP(Folder(directory), hostname="localhost", enable_SMTPUTF8=True, loop=loop), HOST, port)
    async with server:
        await over.wait()


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--port", type=int, required=True)
    arguments.add_argument("--directory", type=Path, required=True)
    chosen = arguments.parse_args()
    asyncio.run(serve(chosen.port, chosen.directory))
