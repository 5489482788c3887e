"""The two processes of identity as their supervisor starts them, and what they wrote."""

import asyncio
import base64
import signal
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2

from services.identity.settings import Settings
from stack.layout import ROOT

HEALTH = {"main": 1000, "worker": 2000}


def environment(settings: Settings) -> dict[str, str]:
    """The variables that say the same as these settings."""
    told = settings.model_dump(exclude={"master_key"}, exclude_none=True) | {"master_key": base64.b64encode(settings.master_key).decode()}
    return {f"IDENTITY_{name.upper()}": str(value) for name, value in told.items()}


async def ops(settings: Settings, *words: str) -> tuple[int, str]:
    """The operator's command as a process of its own, and what it printed."""
    program = (sys.executable, "-m", "services.identity.ops", *words)
    process = await asyncio.create_subprocess_exec(*program, cwd=ROOT, env=environment(settings), stdout=PIPE, stderr=PIPE)
    printed, complaint = await process.communicate()
    return process.returncode or 0, (printed or complaint).decode()


@asynccontextmanager
async def running(settings: Settings, role: str, log: Path) -> AsyncIterator[None]:
    """One process, ready; afterwards it is told to stop, and must end well."""
    with log.open("wb") as written:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", f"services.identity.{role}", cwd=ROOT, env=environment(settings), stdout=written, stderr=written
        )
        try:
            await _ready(settings.port + HEALTH[role], log)
            yield
            process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(process.wait(), 20) == 0, log.read_text(encoding="utf-8")  # noqa: ASYNC240  # a test's own file
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()


async def _ready(port: int, log: Path) -> None:
    async with httpx2.AsyncClient(trust_env=False) as http:
        for _ in range(300):
            try:
                if (await http.get(f"http://127.0.0.1:{port}/readyz")).status_code == 200:
                    return
            except httpx2.TransportError:
                pass
            await asyncio.sleep(0.1)
    raise AssertionError(log.read_text(encoding="utf-8"))  # noqa: ASYNC240  # a test's own file
