"""What a person can tell the stack."""

import argparse
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from stack.endpoints import write_part_endpoints
from stack.layout import ROOT, Layout
from stack.parts import Parts
from stack.ports import free_part_ports
from stack.trouble import Trouble, disk_full_is_trouble


def main(arguments: list[str] | None = None) -> int:
    """Do one command and return the exit code; a Trouble is printed as it stands."""
    parser = argparse.ArgumentParser(prog="python -m stack", description=__doc__)
    commands = parser.add_subparsers(required=True)

    def command(name: str, does: Callable[[argparse.Namespace], None], text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=text, description=text)
        added.add_argument("--dir", type=Path, default=ROOT / ".local", help="the folder of the stack (default: .local)")
        added.set_defaults(does=does)
        return added

    parts = command("parts", _parts, "Start PostgreSQL, Valkey, Kafka and the mail catcher only, on free ports, and print where they are.")
    parts.add_argument("--stop", action="store_true", help="stop them instead")
    chosen = parser.parse_args(arguments)
    try:
        with disk_full_is_trouble(chosen.dir):
            chosen.does(chosen)
    except Trouble as trouble:
        Console(stderr=True).print(f"[red]✗[/] {trouble}", highlight=False, soft_wrap=True)
        return 1
    return 0


def _parts(chosen: argparse.Namespace) -> None:
    layout = Layout(chosen.dir.resolve())
    layout.make()
    parts = Parts.of(layout, free_part_ports(layout))
    with layout.locked():
        if chosen.stop:
            parts.stop()
            return
        parts.start()
        print(json.dumps(asdict(write_part_endpoints(parts)), indent=2))
