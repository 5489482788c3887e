"""`python -m benchmarks [append,relay,…]`: starts its own stack, prints a table of ours beside theirs, writes `results/<date>.json`."""

import asyncio
import importlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.measure import Figure, save
from benchmarks.serving import chosen, on_all_cores, pinned_stack

ON_THE_STACK = ("same", "append", "relay", "rebuild", "million")
ON_A_PRODUCT = ("verify", "local", "revoke", "visible", "signin", "sizes", "ingest", "command")
"""All on one product, for which a start takes longer than most of them. Last come those that leave its workers much to do."""
BY_ITSELF = ("startup",)


class Bench:
    """Runs the cases that were asked for and keeps their figures. One that cannot run says why, and the others go on."""

    def __init__(self, console: Console, asked: Sequence[str]) -> None:
        self.figures: list[Figure] = []
        self.failed = False
        self._console, self._asked = console, asked

    def among(self, cases: Sequence[str]) -> list[str]:
        """Those that were asked for, in their own order."""
        return [name for name in cases if name in self._asked]

    def run(self, cases: Sequence[str], *ground: Any) -> None:
        """Each that was asked for, on what it needs."""
        for name in self.among(cases):
            self._console.print(f"[dim]{name} …[/]")
            with self.told(name):
                self.figures += asyncio.run(importlib.import_module(f"benchmarks.{name}").run(*ground))

    @contextmanager
    def told(self, name: str) -> Iterator[None]:
        """Say what goes wrong in the block, and remember that something did."""
        try:
            yield
        except Exception as error:  # noqa: BLE001  # one that does not run is reported as such, beside those that do
            self._console.print(f"[red]{name} was not run: {error!r}[/]")
            self.failed = True


def main() -> int:
    """Run the chosen cases, all of them when none is named; 0 when each ran."""
    console = Console(width=130)
    bench = Bench(console, chosen((*ON_THE_STACK, *ON_A_PRODUCT, *BY_ITSELF)))
    with pinned_stack() as stack:
        bench.run(ON_THE_STACK, stack)
        if bench.among(ON_A_PRODUCT):
            with bench.told("the product"):
                stack.empty_topics()  # the relay's case leaves what would keep the product's consumers busy for minutes
                with on_all_cores(stack) as product:
                    bench.run(ON_A_PRODUCT, product)
    bench.run(BY_ITSELF)
    console.print(table(bench.figures))
    console.print(f"[dim]{save(bench.figures)}[/]")
    return int(bench.failed)


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
