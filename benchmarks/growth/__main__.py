"""`python -m benchmarks.growth [keys,overview,…]`: on a stack of its own; pictures into `docs/`, numbers into `benchmarks/results/`."""

import asyncio
import importlib
import sys

from rich.console import Console

from benchmarks import measure
from benchmarks.__main__ import table
from benchmarks.growth import curves
from benchmarks.serving import chosen, pinned_stack

CASES = ("keys", "streams", "overview", "backlog", "verifiers", "memory", "keycloak", "debezium")  # the last one changes the PostgreSQL


def main() -> int:
    """Run the chosen cases, all of them when none is named; 0 when each ran. A case that cannot run says why and the others go on."""
    console, failed = Console(width=130), 0
    with pinned_stack() as stack:
        for name in chosen(CASES):
            console.print(f"[dim]{name} …[/]")
            try:
                found = asyncio.run(importlib.import_module(f"benchmarks.growth.{name}").run(stack))
            except Exception as error:  # noqa: BLE001  # one that does not run is reported as such, beside those that do
                console.print(f"[red]{name} was not run: {error!r}[/]")
                failed = 1
                continue
            if isinstance(found, curves.Curve):
                for line, values in found.lines.items():
                    console.print(f"{line:40}", *(f"{value:12,.2f}" for value in values))
                console.print(f"[dim]{'a quick run is not kept' if measure.QUICK else curves.save(found)}[/]")
            else:
                console.print(table(found))
                console.print(f"[dim]{measure.save(found, f'growth-{name}')}[/]")
    return failed


if __name__ == "__main__":
    sys.exit(main())
