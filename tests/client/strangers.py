"""The services of other teams in examples/, run as programs beside a test."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.shared.until import until

EXAMPLES = Path(__file__).parents[2] / "examples"
BILLING = (sys.executable, EXAMPLES / "billing" / "billing.py")
AUDIT = EXAMPLES / "audit-go"
RATHER_LONG = 90.0


class Output:
    """What a program wrote so far, line by line."""

    def __init__(self) -> None:
        self.lines, self.complaints = list[str](), list[str]()

    async def shows(self, *parts: str) -> None:
        """Wait until each of these stands in a line."""

        async def there() -> bool:
            return all(any(part in line for line in self.lines) for part in parts)

        await until(there, RATHER_LONG)


@asynccontextmanager
async def program(*command: str | Path, **told: str) -> AsyncIterator[Output]:
    """Run it until the block ends, then tell it to stop."""
    environment = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME"}} | {"PYTHONUNBUFFERED": "1"} | told
    pipes: dict[str, Any] = {"stdout": asyncio.subprocess.PIPE, "stderr": asyncio.subprocess.PIPE}
    child = await asyncio.create_subprocess_exec(*command, env=environment, **pipes)
    output = Output()

    async def keep(stream: asyncio.StreamReader | None, into: list[str]) -> None:
        assert stream is not None
        async for line in stream:
            into.append(line.decode().rstrip("\n"))  # noqa: PERF401 - each line counts when it comes, not when all have

    reading = asyncio.gather(keep(child.stdout, output.lines), keep(child.stderr, output.complaints))
    try:
        yield output
    finally:
        if child.returncode is None:
            child.terminate()
        try:
            await asyncio.wait_for(child.wait(), 30)
        except TimeoutError:
            child.kill()
        await reading


def built(folder: Path, into: Path) -> Path:
    """A Go program, compiled. Its toolchain is part of what a machine that runs this has."""
    go = shutil.which("go")
    assert go is not None, "Go is missing: install it (Debian: apt-get install golang-go)"
    made = subprocess.run([go, "build", "-o", into / folder.name, "."], cwd=folder, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    return into / folder.name
