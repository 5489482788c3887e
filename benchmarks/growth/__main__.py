"""`python -m benchmarks.growth [keys,overview]`: on a stack of its own; pictures into `docs/`, numbers into `benchmarks/results/`."""

import asyncio
import importlib
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from benchmarks.growth.curves import save
from benchmarks.measure import LOAD_CORE, SERVER_CORE, pin
from stack.layout import Layout
from stack.testing import RealStack

CASES = ("keys", "overview")


def main() -> int:
    """Run the chosen cases, all of them when none is named."""
    chosen = [name for argument in sys.argv[1:] for name in argument.split(",")] or list(CASES)
    console = Console(width=130)
    pin(LOAD_CORE)
    with tempfile.TemporaryDirectory(prefix="latchkey-bench-") as folder:
        stack = RealStack(Layout(Path(folder)))
        try:
            stack.start()
            pin(SERVER_CORE)
            for name in chosen:
                console.print(f"[dim]{name} …[/]")
                curve = asyncio.run(importlib.import_module(f"benchmarks.growth.{name}").run(stack))
                for line, values in curve.lines.items():
                    console.print(f"{line:40}", *(f"{value:12,.2f}" for value in values))
                console.print(f"[dim]{save(curve)}[/]")
        finally:
            stack.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
