"""Operators' commands of identity: `python -m services.identity.ops --help`."""

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from latchkey.topics import BY_NAME, IDENTITY_ERASURE_STATE

from services.identity.commands.accounts import erase_again
from services.identity.commands.clients import Listed
from services.identity.projections import VIEWS
from services.identity.settings import PREFIX, Settings
from services.identity.wiring import ACCOUNT, EVENTS, MIGRATIONS, SERVICE, build_core
from shared.ids import new_id
from shared.ops.kit import Arguments, Command, Failed, Toolbox, run_ops, say
from shared.ops.restored import keys_of
from shared.store.aggregates import Aggregates
from shared.store.records import Context


async def _add(_tools: Toolbox, arguments: Arguments) -> None:
    async with build_core(Settings.from_env(PREFIX)) as core:
        client_id, secret = await core.clients.add(arguments.name, arguments.scope, _context())
    if arguments.json:
        say(json.dumps({"id": client_id, "secret": secret}))
    else:
        say(f"id      {client_id}\nsecret  {secret}\nThe secret is shown this once.")


async def _admit(_tools: Toolbox, arguments: Arguments) -> None:
    listed = [_listed(line) for line in arguments.file.read_text("utf-8").splitlines()]
    async with build_core(Settings.from_env(PREFIX)) as core:
        for client in listed:
            await core.clients.admit(client, _context())
    say(f"{len(listed)} service clients are in place.")


def _listed(line: str) -> Listed:
    try:
        name, client_id, digest, scopes = line.split(" ")
    except ValueError:
        raise Failed("Each line is a name, an id, the SHA-256 of the secret, and scopes with commas between.") from None
    return Listed(client_id, name, frozenset(scopes.split(",")), digest)


async def _replay(tools: Toolbox, _arguments: Arguments) -> None:
    erased = await keys_of(tools, BY_NAME[IDENTITY_ERASURE_STATE])
    async with build_core(Settings.from_env(PREFIX)) as core:
        accounts = Aggregates(ACCOUNT, core.store)
        again = [account_id for account_id in erased if await erase_again(accounts, account_id, _context())]
    say(f"{len(again)} accounts were erased again.")


async def _revoke(_tools: Toolbox, arguments: Arguments) -> None:
    async with build_core(Settings.from_env(PREFIX)) as core:
        await core.clients.revoke(arguments.id, _context())
    say("It gets no more tokens; the last one ends within 15 minutes.")


def _add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name")
    parser.add_argument("--scope", action="append", required=True, help="keys:verify, feed:<service>; may be given several times")
    parser.add_argument("--json", action="store_true", help='print {"id", "secret"}')


def _context() -> Context:
    return Context("operator", "platform", datetime.now(UTC), new_id("op"))


def _toolbox() -> Toolbox:
    settings = Settings.from_env(PREFIX)
    return Toolbox(
        SERVICE, settings.database_url, settings.owner_database_url, settings.master_key, MIGRATIONS, VIEWS, EVENTS, kafka=settings.kafka
    )


OWN: Final = (
    Command("erasures replay", "Erase again what was erased after a backup was taken.", _replay),
    Command("service-client add", "Make a client for a machine of the platform.", _add, _add_arguments),
    Command(
        "service-client admit",
        "Make the clients that a file lists, unless they are there.",
        _admit,
        lambda p: p.add_argument("file", type=Path),
    ),
    Command("service-client revoke", "Give a client no more tokens.", _revoke, lambda parser: parser.add_argument("id")),
)


def main() -> int:
    """Carry out one command line; answers the exit status."""
    return run_ops(SERVICE, _toolbox, OWN)


if __name__ == "__main__":
    sys.exit(main())
