"""`make up`: check the machine, start the supervisor, and show what it does until everything serves."""

import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table

from stack.accounts import unprivileged
from stack.board import Report, read_board
from stack.down import stop_leftovers
from stack.layout import ROOT, Layout
from stack.ports import HEALTH, HOST, fixed_part_ports, health_ports, is_free, offset, portal_port, service_ports
from stack.processes import Child, Command
from stack.trouble import Trouble

_MARKS = {"waiting": "[dim]·[/]", "starting": "[yellow]…[/]", "restarting": "[yellow]↻[/]", "failed": "[red]✗[/]"}
_ENOUGH_DISK = 500 * 1024**2


def up(layout: Layout, console: Console) -> None:
    """Bring everything up; return once it serves. Started already: only show it. Raises Trouble when something keeps it from serving."""
    layout.make()
    with layout.locked():
        supervisor = Child(layout, "supervisor")
        if supervisor.pid is None:
            stop_leftovers(layout)
            check_machine(layout)
            layout.state.unlink(missing_ok=True)
            supervisor.start(Command((sys.executable, "-m", "stack.supervisor", "--dir", str(layout.directory)), os.environ, ROOT))
        try:
            report = _follow(layout, supervisor, console)
        except KeyboardInterrupt:
            console.print("It goes on in the background: `make up` looks again, `make down` stops it.")
            raise
    if report.phase != "up":
        raise Trouble(report.trouble or "It was told to stop while it was starting.")
    console.print(addresses(layout))


def check_machine(layout: Layout) -> None:
    """Raise Trouble when something is missing that the start would only stumble over later."""
    unprivileged()
    if shutil.which("java") is None:
        raise Trouble("Java is missing, and Kafka runs on it: install a JRE 17 (Debian: apt-get install openjdk-17-jre-headless).")
    if shutil.disk_usage(layout.directory).free < _ENOUGH_DISK:
        raise Trouble(f"The disk that holds {layout.directory} is full: free 1 GB there and start again.")
    for owner, port in _ports():
        if not is_free(port):
            move = f"or move all of Latchkey's: LATCHKEY_PORT_OFFSET={offset() + 100} make up"
            raise Trouble(f"Port {port}, which {owner} needs, is taken by another program: stop that one, {move}.")


def addresses(layout: Layout) -> Table:
    """Return the table of everything a person may want to open."""
    parts = fixed_part_ports()
    table = Table("", "where", "health and metrics", box=None, pad_edge=False)
    table.add_row("[bold]portal[/]", f"http://{HOST}:{portal_port()}", f"main :{health_ports()['portal']}")
    for service, port in service_ports().items():
        health = ", ".join(f"{role} :{port + above}" for role, above in HEALTH.items())
        table.add_row(f"[bold]{service}[/]", f"http://{HOST}:{port}/openapi.json", health)
    table.add_row("PostgreSQL", f"{HOST}:{parts.postgres}", "")
    table.add_row("Valkey", f"{HOST}:{parts.valkey}", "")
    table.add_row("Kafka", f"{HOST}:{parts.kafka}", "")
    table.add_row("mail", f"{_shown(layout.mail)}/*.eml", "")
    table.add_row("for programs", _shown(layout.endpoints), "")
    return table


def _shown(path: Path) -> str:
    """Return the path as seen from the current folder, when it lies below."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def _ports() -> Iterator[tuple[str, int]]:
    yield from vars(fixed_part_ports()).items()
    yield from service_ports().items()
    yield "the portal", portal_port()
    yield from ((f"the health of {name}", port) for name, port in health_ports().items())


def _follow(layout: Layout, supervisor: Child, console: Console) -> Report:
    """Show the board until the start is over, one way or the other."""
    with Live(console=console, refresh_per_second=10, transient=True) as live:
        while True:
            alive, report = supervisor.pid is not None, read_board(layout)
            if report is not None:
                live.update(board(report))
                if report.phase != "starting":
                    break
            if not alive:
                raise Trouble(f"The supervisor ended without a word; see {supervisor.log}.\n{supervisor.last_words()}")
            time.sleep(0.1)
    if not console.is_terminal or report.phase == "failed":
        console.print(board(report))
    return report


def board(report: Report) -> Table:
    """Return the board as a person sees it: one line for each child and step."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, line in report.lines.items():
        mark = _MARKS.get(line.state, "[green]✓[/]")
        took = f"{line.seconds:.1f} s" if line.seconds else ""
        deaths = f"[yellow]started again {line.deaths}×[/]" if line.deaths else ""
        table.add_row(mark, name, line.state, took, line.detail or deaths)
    return table
