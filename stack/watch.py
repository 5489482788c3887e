"""`make status` and `make logs`: what runs, and what it said."""

import subprocess
from concurrent.futures import ThreadPoolExecutor

from rich.console import Console
from rich.table import Table

from stack.board import Line, read_board
from stack.layout import Layout
from stack.ports import health_ports
from stack.processes import Child
from stack.serving import readiness
from stack.trouble import Trouble

CHILDREN = ("supervisor", "postgres", "valkey", "kafka", "mail", *health_ports())


def status(layout: Layout, console: Console) -> bool:
    """Print one line for each process, asked this moment; return whether all of them run and serve."""
    report = read_board(layout)
    lines = report.lines if report else {}
    with ThreadPoolExecutor(len(CHILDREN)) as pool:
        found = list(pool.map(lambda name: _ask(layout, name), CHILDREN))
    table = Table("", "process", "pid", "started again", "says", box=None, pad_edge=False)
    for name, (pid, word) in zip(CHILDREN, found, strict=True):
        line = lines.get(name, Line())
        mark = "[green]✓[/]" if word in {"runs", "ready"} else "[red]✗[/]"
        table.add_row(mark, name, str(pid or "–"), f"{line.deaths}×" if line.deaths else "", word)
    console.print(table)
    return all(word in {"runs", "ready"} for _, word in found)


def _ask(layout: Layout, name: str) -> tuple[int | None, str]:
    pid = Child(layout, name).pid
    if pid is None:
        return None, "does not run"
    port = health_ports().get(name)
    return pid, "runs" if port is None else readiness(port)


def logs(layout: Layout, of: str | None, *, follow: bool) -> None:
    """Print the end of every log, or of one process's; with `follow`, go on until Ctrl-C. Raises Trouble for a name that has none."""
    chosen = sorted(layout.logs.glob(f"{of or '*'}.log"))
    if not chosen:
        known = ", ".join(sorted(file.stem for file in layout.logs.glob("*.log"))) or "none yet"
        raise Trouble(f"There is no log of {of or 'anything'}; there are: {known}.")
    amount = ["--lines", "200" if of else "10"]
    subprocess.run(["tail", *amount, *(["--follow=name", "--retry"] if follow else []), *map(str, chosen)], check=False)
