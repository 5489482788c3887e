"""What a person can tell the stack."""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from stack.down import clean, down
from stack.endpoints import read_part_endpoints, write_part_endpoints
from stack.layout import ROOT, Layout
from stack.parts import Parts
from stack.ports import SERVICES, free_part_ports
from stack.services import Service
from stack.trouble import Trouble, disk_full_is_trouble
from stack.up import up
from stack.watch import logs, status


def main(arguments: list[str] | None = None) -> int:
    """Do one command and return the exit code; a Trouble is printed as it stands."""
    parser = argparse.ArgumentParser(prog="python -m stack", description=__doc__)
    commands = parser.add_subparsers(required=True)

    def command(name: str, does: Callable[[Layout, argparse.Namespace], bool | None], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.add_argument("--dir", type=Path, default=ROOT / ".local", help="the folder of the stack (default: .local)")
        added.set_defaults(does=does)
        return added

    command("up", _up, "Bring up the whole product: four parts, their tables and topics, nine processes.")
    command("down", _down, "Stop everything that was started here; the data stays.")
    command("status", _status, "Say of each process whether it runs and serves.")
    logs = command("logs", _logs, "Print the end of the logs.")
    logs.add_argument("of", nargs="?", help="one process, such as keys-main")
    logs.add_argument("--follow", action="store_true", help="go on until Ctrl-C")
    clean = command("clean", _clean, "Stop everything and remove all data, logs and secrets.")
    clean.add_argument("--yes", action="store_true", help="do not ask")
    ops = command("ops", _ops, "Run an operator's command of a service with this stack's addresses.")
    ops.add_argument("service", choices=SERVICES)
    ops.add_argument("rest", nargs=argparse.REMAINDER, help="what follows `python -m services.<service>.ops`")
    parts = command("parts", _parts, "Start PostgreSQL, Valkey, Kafka and the mail catcher only, on free ports, and print where they are.")
    parts.add_argument("--stop", action="store_true", help="stop them instead")
    chosen = parser.parse_args(arguments)
    chosen.dir = chosen.dir.resolve()
    try:
        with disk_full_is_trouble(chosen.dir):
            return int(chosen.does(Layout(chosen.dir), chosen) is False)
    except Trouble as trouble:
        Console(stderr=True).print(f"[red]✗[/] {trouble}", highlight=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        return 130


def _up(layout: Layout, _: argparse.Namespace) -> None:
    up(layout, Console())


def _down(layout: Layout, _: argparse.Namespace) -> None:
    down(layout, Console())


def _status(layout: Layout, _: argparse.Namespace) -> bool:
    return status(layout, Console())


def _logs(layout: Layout, chosen: argparse.Namespace) -> None:
    logs(layout, chosen.of, follow=chosen.follow)


def _clean(layout: Layout, chosen: argparse.Namespace) -> None:
    clean(layout, Console(), sure=chosen.yes)


def _ops(layout: Layout, chosen: argparse.Namespace) -> bool:
    service = Service(layout, chosen.service, read_part_endpoints(layout))
    command = [sys.executable, "-m", f"services.{chosen.service}.ops", *chosen.rest]
    return subprocess.run(command, check=False, env=service.environment(owner=True)).returncode == 0


def _parts(layout: Layout, chosen: argparse.Namespace) -> None:
    layout.make()
    parts = Parts.of(layout, free_part_ports(layout))
    with layout.locked():
        if chosen.stop:
            parts.stop()
            return
        parts.start()
        print(json.dumps(asdict(write_part_endpoints(parts)), indent=2))
