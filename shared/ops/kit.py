"""The command line of a service's operators: what every service offers, and room for its own commands."""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg
from latchkey.access import KafkaAccess
from latchkey.consumer import NotParkedError, Source

from shared.errors import Refusal
from shared.events import EventRegistry
from shared.rebuild.foreign import ForeignView
from shared.store.contract import View
from shared.store.migrations import MigrationChanged, NotAnOwner, RebuildNeeded

DONE, FAILED, UNREACHABLE = 0, 1, 3
"""Exit statuses; 2 is argparse's, for a command line that makes no sense."""


class Failed(Exception):
    """The command was not carried out, or found what it looks for; the text is a sentence for the operator."""


@dataclass(frozen=True)
class Toolbox:
    """What operators' commands work with. `owner_url` is needed by those that make or drop tables, `feeds` by those that read what other
    services published."""

    service: str
    database_url: str
    owner_url: str | None
    master_key: bytes
    migrations: Path
    views: Sequence[View]
    registry: EventRegistry[Any]
    foreign: Sequence[ForeignView] = ()
    kafka: str | KafkaAccess | None = None
    feeds: Callable[[Sequence[str]], AbstractAsyncContextManager[Mapping[str, Source]]] = lambda _topics: nullcontext({})

    @asynccontextmanager
    async def app(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection with the application's rights."""
        db = await asyncpg.connect(self.database_url, timeout=60)
        try:
            yield db
        finally:
            await db.close()

    def owner(self) -> str:
        """Where the owner signs in. Raises Failed when this environment may not."""
        if self.owner_url is None:
            raise Failed(f"This needs the owner's rights: set {self.service.upper()}_OWNER_DATABASE_URL.")
        return self.owner_url


Arguments = argparse.Namespace
Run = Callable[[Toolbox, Arguments], Awaitable[None]]


@dataclass(frozen=True)
class Command:
    """One command: its words (`relay rewind`), one sentence of help, its arguments, and what it does. It raises Failed with a sentence."""

    words: str
    help: str
    run: Run
    arguments: Callable[[argparse.ArgumentParser], object] = lambda _parser: None


def say(line: str) -> None:
    """A line on standard output, never wrapped."""
    sys.stdout.write(line + "\n")


def run_ops(service: str, build: Callable[[], Toolbox], own: Sequence[Command] = (), argv: Sequence[str] | None = None) -> int:
    """Carry out one command line and answer the exit status: 0 done, 1 refused or found wrong, 2 not understood, 3 no connection.

    `build` is called only when there is something to do, so `--help` needs no settings. Raises what nobody expected.
    """
    from shared.ops.commands import COMMANDS

    arguments = _parser(service, [*COMMANDS, *own]).parse_args(argv)
    run: Run = arguments.run
    try:
        asyncio.run(_carried_out(run, build(), arguments))
    except (Failed, Refusal, MigrationChanged, NotAnOwner, NotParkedError) as refused:
        return _complain(str(refused), FAILED)
    except RebuildNeeded as needed:
        return _complain(f"The view {needed} has no tables yet and the log has events: run `rebuild {needed}`.", FAILED)
    except asyncpg.PostgresError as wrong:
        return _complain(f"The database refused: {wrong}", FAILED)
    except (OSError, asyncpg.InterfaceError, TimeoutError) as away:
        return _complain(f"The database cannot be reached: {away or type(away).__name__}", UNREACHABLE)
    except KeyboardInterrupt:
        return _complain("Stopped. What was committed stays; the same command goes on from there.", FAILED)
    return DONE


async def _carried_out(run: Run, tools: Toolbox, arguments: Arguments) -> None:
    await run(tools, arguments)


def _complain(sentence: str, status: int) -> int:
    sys.stderr.write(sentence + "\n")
    return status


_GROUPS: Final = {
    "relay": "how far the log is published",
    "parked": "records that a consumer put aside",
    "erasures": "what must not come back from a backup",
    "events": "what the log holds",
}


def _parser(service: str, commands: Sequence[Command]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m services.{service}.ops", description=f"Operators' commands of {service}.")
    level = parser.add_subparsers(required=True, metavar="command")
    groups: dict[str, Any] = {}
    for command in commands:
        group, _, word = command.words.rpartition(" ")
        if group and group not in groups:
            groups[group] = level.add_parser(group, help=_GROUPS.get(group)).add_subparsers(required=True, metavar="command")
        made = groups.get(group, level).add_parser(word, help=command.help, description=command.help)
        command.arguments(made)
        made.set_defaults(run=command.run)
    return parser
