"""How the demo tells what it does: numbered steps with their time, and checks that end it when they fail."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.panel import Panel
from rich.syntax import Syntax
from rich.table import Table


class Mismatch(Exception):
    """The service said something else than the file."""


class Story:
    """Prints the narration and remembers how long each step took."""

    def __init__(self) -> None:
        self.console = Console(highlight=False, width=110)
        self._took: list[tuple[str, float]] = []
        self._checks = 0

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """A step of the guide."""
        self.console.print(f"\n[bold cyan]{len(self._took) + 1:>2}. {title}[/]")
        started = time.perf_counter()
        yield
        self._took.append((title, time.perf_counter() - started))

    def say(self, text: str) -> None:
        """One line of narration."""
        self.console.print(f"    {text}")

    def show(self, title: str, document: Any) -> None:
        """A JSON document, as it came."""
        text = json.dumps(document, indent=2, ensure_ascii=False)
        self.console.print(Panel(Syntax(text, "json", theme="ansi_dark", background_color="default"), title=title, title_align="left"))

    def check(self, what: str, found: object, expected: object) -> None:
        """Compare with what the file says. Raises Mismatch."""
        if found != expected:
            raise Mismatch(f"{what}: the service says {found!r}, the file says {expected!r}")
        self._checks += 1
        self.say(f"[green]✓[/] {what}: {found}")

    def table(self, title: str, columns: tuple[str, ...], rows: Iterator[tuple[str, ...]] | list[tuple[str, ...]]) -> None:
        """A table of figures, numbers to the right."""
        table = Table(title=title, title_justify="left", box=None, padding=(0, 3, 0, 0))
        for position, column in enumerate(columns):
            table.add_column(column, justify="left" if position == 0 else "right")
        for row in rows:
            table.add_row(*row)
        self.console.print(table)

    def end(self) -> None:
        """Where the time went."""
        self.console.print()
        self.table("Time", ("step", "seconds"), [(title, f"{seconds:.2f}") for title, seconds in self._took])
        self.console.print(f"\n[bold green]{self._checks} totals checked against the file, all equal.[/]")
