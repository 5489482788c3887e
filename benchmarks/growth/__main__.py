"""`python -m benchmarks.growth [keys,overview,…]`: on a stack of its own; pictures into `docs/`, numbers into `benchmarks/results/`."""

import asyncio
import importlib
import sys

from rich.console import Console

from benchmarks.growth.curves import save
from benchmarks.measure import QUICK
from benchmarks.serving import chosen, pinned_stack

CASES = ("keys", "streams", "overview", "backlog", "verifiers", "memory")


def main() -> int:
    """Run the chosen cases, all of them when none is named."""
    console = Console(width=130)
    with pinned_stack() as stack:
        for name in chosen(CASES):
            console.print(f"[dim]{name} …[/]")
            curve = asyncio.run(importlib.import_module(f"benchmarks.growth.{name}").run(stack))
            for line, values in curve.lines.items():
                console.print(f"{line:40}", *(f"{value:12,.2f}" for value in values))
            console.print(f"[dim]{'a quick run is not kept' if QUICK else save(curve)}[/]")
    return 0


if __name__ == "__main__":
    sys.exit(main())
