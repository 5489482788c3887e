"""`python -m benchmarks [append,relay,…]`: starts its own stack, prints a table of ours beside theirs, writes `results/<date>.json`."""

import asyncio
import importlib
import sys

from rich.console import Console
from rich.table import Table

from benchmarks.measure import Figure, save
from benchmarks.serving import chosen, pinned_stack

CASES = (
    "same",
    "append",
    "relay",
    "rebuild",
    "command",
    "verify",
    "million",
    "local",
    "revoke",
    "visible",
    "ingest",
    "sizes",
    "signin",
    "startup",
)


def main() -> int:
    """Run the chosen cases, all of them when none is named; 0 when each ran. One that cannot run says why and the others go on."""
    console = Console(width=130)
    figures: list[Figure] = []
    failed = 0
    with pinned_stack() as stack:
        for name in chosen(CASES):
            console.print(f"[dim]{name} …[/]")
            try:
                figures += asyncio.run(importlib.import_module(f"benchmarks.{name}").run(stack))
            except Exception as error:  # noqa: BLE001  # one that does not run is reported as such, beside those that do
                console.print(f"[red]{name} was not run: {error!r}[/]")
                failed = 1
        console.print(table(figures))
        console.print(f"[dim]{save(figures)}[/]")
    return failed


def table(figures: list[Figure]) -> Table:
    """What a person reads."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("path", "what", "ours", "min–max", "beside", "theirs", "ratio", "floor", "goal", "reached"):
        shown.add_column(name, justify="left" if name in {"path", "what", "beside", "reached"} else "right")
    for each in figures:
        colour = {"goal": "green", "floor": "yellow", "missed": "red"}.get(each.verdict, "dim")
        shown.add_row(
            each.path, each.what, f"{_number(each.ours)} {each.unit}", f"{_number(each.low)}–{_number(each.high)}", each.peer,
            _number(each.theirs), _number(each.ratio), _number(each.floor), _number(each.goal), f"[{colour}]{each.verdict}[/]",
        )  # fmt: skip
    return shown


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main())
