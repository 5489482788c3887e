"""The processes of registry as their supervisor starts them, and what they said."""

import asyncio
import base64
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2

from services.registry.settings import PREFIX, Settings
from stack.layout import ROOT

HEALTH = {"main": 1000, "worker": 2000}


def environment(settings: Settings) -> dict[str, str]:
    """The variables that say the same as these settings."""
    told = settings.model_dump(exclude={"master_key"}, exclude_none=True) | {"master_key": base64.b64encode(settings.master_key).decode()}
    return {PREFIX + name.upper(): str(value) for name, value in told.items()}


async def ops(settings: Settings, *words: str) -> tuple[int, str]:
    """An operator's command: its exit status and what it printed."""
    program = (sys.executable, "-m", "services.registry.ops", *words)
    done = await asyncio.to_thread(subprocess.run, program, cwd=ROOT, env=environment(settings), capture_output=True, check=False)
    return done.returncode, (done.stdout + done.stderr).decode()


@asynccontextmanager
async def running(settings: Settings, role: str, log: Path) -> AsyncIterator[None]:
    """One process, ready; afterwards it is told to stop, and must end well."""
    with log.open("wb") as written:
        program = (sys.executable, "-m", f"services.registry.{role}")
        process = subprocess.Popen(program, cwd=ROOT, env=environment(settings), stdout=written, stderr=written)  # noqa: ASYNC220  # it takes no time
        try:
            await _ready(settings.port + HEALTH[role], log)
            yield
            process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(process.wait, 20) == 0, _said(log)
        finally:
            process.kill()
            process.wait()


async def _ready(port: int, log: Path) -> None:
    async with httpx2.AsyncClient(trust_env=False) as http:
        for _ in range(300):
            try:
                if (await http.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200:
                    return
            except httpx2.TransportError:
                pass
            await asyncio.sleep(0.1)
    raise AssertionError(_said(log))


def _said(log: Path) -> str:
    return log.read_text(encoding="utf-8")
