"""`make down` and `make clean`: end every process of a stack by its pid, whoever started it and whatever became of the supervisor."""

import shutil
import signal
from concurrent.futures import ThreadPoolExecutor

from rich.console import Console

from stack.accounts import reachable, unprivileged
from stack.layout import Layout
from stack.processes import Child
from stack.trouble import Trouble

_PARTS = {"postgres": signal.SIGINT, "valkey": signal.SIGTERM, "kafka": signal.SIGTERM, "mail": signal.SIGTERM}
_DRAIN_SECONDS = 90


def down(layout: Layout, console: Console) -> None:
    """Stop everything; gone when this returns. Nothing runs: nothing happens."""
    if not layout.pids.exists():
        console.print("Nothing runs here.")
        return
    supervisor = Child(layout, "supervisor")
    ran = supervisor.pid is not None
    with console.status("Stopping: the services drain, then the parts they stand on"):
        # Not under the lock: whoever holds it may be waiting for the start that this ends.
        supervisor.stop(seconds=_DRAIN_SECONDS)
        with layout.locked():
            left = stop_leftovers(layout)
    layout.endpoints.unlink(missing_ok=True)
    layout.state.unlink(missing_ok=True)
    console.print("Everything is stopped; the data is kept." if ran or left else "Nothing ran; the data is kept.")


def stop_leftovers(layout: Layout) -> list[str]:
    """Stop what a supervisor that died left running: first what serves, then the parts. Return the names of what still lived."""
    names = sorted(file.stem for file in layout.pids.glob("*.json") if file.stem != "supervisor")
    children = [Child(layout, name) for name in names]
    left = [child.name for child in children if child.pid is not None]
    for group in ([child for child in children if child.name not in _PARTS], [child for child in children if child.name in _PARTS]):
        with ThreadPoolExecutor(max(1, len(group))) as pool:
            list(pool.map(lambda child: child.stop(_PARTS.get(child.name, signal.SIGTERM), 30), group))
    return left


def clean(layout: Layout, console: Console, *, sure: bool) -> None:
    """Remove the stack and all its data, after asking unless `sure`."""
    if not layout.directory.exists():
        console.print("There is nothing to remove.")
        return
    if not sure:
        try:
            answer = console.input(f"This removes all data, logs and secrets in {layout.directory}. Type yes to go on: ")
        except EOFError:
            answer = ""
        if answer.strip().lower() != "yes":
            raise Trouble("Nothing was removed. (YES=1 make clean does not ask.)")
    down(layout, console)
    shutil.rmtree(reachable(layout.data / "postgres", unprivileged()), ignore_errors=True)
    shutil.rmtree(layout.directory)
    console.print(f"{layout.directory} is gone.")
