"""The commands that every service offers its operators."""

import argparse
from typing import Final

from latchkey.consumer import Place, parked_discard, parked_list, parked_retry

from shared.ops.kit import Arguments, Command, Failed, Toolbox, say
from shared.ops.log import show, verify_chain
from shared.ops.restored import compare, restored
from shared.rebuild.command import rebuild
from shared.relay.cursor import WouldSkip, rewind
from shared.store.migrations import migrate

_STATUS: Final = """
SELECT r.position, r.updated_at, (SELECT count(*) FROM es.events e WHERE e.position > r.position AND e.public IS NOT NULL) AS waiting,
    (SELECT min(e.recorded_at) FROM es.events e WHERE e.position > r.position AND e.public IS NOT NULL) AS oldest
FROM es.relay r
"""
_PROJECTIONS: Final = "SELECT DISTINCT projection, version FROM latchkey.parked ORDER BY 1, 2"


async def _migrate(tools: Toolbox, arguments: Arguments) -> None:
    done = await migrate(tools.owner(), tools.migrations, tools.views)
    for line in done or ["The database is at the present schema."]:
        say(line)
    if arguments.compare:
        async with tools.app() as db:
            await compare(tools, db)


async def _relay_status(tools: Toolbox, _arguments: Arguments) -> None:
    async with tools.app() as db:
        row = await db.fetchrow(_STATUS)
    if row is None:
        raise Failed("No relay has run on this database yet.")
    say(f"position {row['position']}, moved {row['updated_at']:%Y-%m-%d %H:%M:%S} UTC")
    say("everything is published" if not row["waiting"] else f"{row['waiting']} events wait, the oldest since {row['oldest']}")


async def _relay_rewind(tools: Toolbox, arguments: Arguments) -> None:
    async with tools.app() as db:
        try:
            stood = await rewind(db, max(arguments.to, 0))
        except WouldSkip as refused:
            raise Failed(str(refused)) from refused
    say(f"The relay stood at {stood}; it publishes everything above {arguments.to} again, in the same bytes.")


async def _parked_list(tools: Toolbox, arguments: Arguments) -> None:
    async with tools.app() as db:
        known = [(row[0], row[1]) for row in await db.fetch(_PROJECTIONS) if arguments.projection in {None, row[0]}]
        for name, version in known:
            for record in await parked_list(db, name, version, limit=arguments.limit):
                stream = f"{record.stream_id} version {record.stream_version}" if record.stream_id else "unreadable"
                place = ":".join(map(str, (record.source, *record.place)))
                say(f"{name}  {place}  {stream}  {record.reason}, {record.attempts} tries: {record.error}")
    if not known:
        say("Nothing is parked.")


def _place(text: str) -> tuple[str, Place]:
    source, *numbers = text.rsplit(":", 3)
    try:
        return source, Place(*map(int, numbers))
    except (TypeError, ValueError):
        raise argparse.ArgumentTypeError("a place is written as `parked list` shows it: topic:epoch:partition:offset") from None


async def _parked_retry(tools: Toolbox, arguments: Arguments) -> None:
    source, place = arguments.place
    async with tools.app() as db:
        await parked_retry(db, arguments.projection, source, place, version=arguments.version, without_missing=arguments.without_missing)
    say("The running worker tries it again within a second; see `parked list`.")


async def _parked_discard(tools: Toolbox, arguments: Arguments) -> None:
    source, place = arguments.place
    async with tools.app() as db:
        await parked_discard(db, arguments.projection, source, place, version=arguments.version)
    say("It is given up; what was parked behind it is tried within a second.")


def _migrate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--compare", action="store_true", help="fail when Kafka holds what the log does not: the database was restored")


def _restored_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--accept", action="store_true", help="what is lost stays lost; numbers that were given are not given again")


def _parked_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("projection")
    parser.add_argument("place", type=_place, help="topic:epoch:partition:offset, as `parked list` shows it")
    parser.add_argument("--version", type=int, default=1, help="of the projection")


def _retry_arguments(parser: argparse.ArgumentParser) -> None:
    _parked_arguments(parser)
    parser.add_argument("--without-missing", action="store_true", help="give up the versions that are missing before it")


def _list_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("projection", nargs="?")
    parser.add_argument("--limit", type=int, default=100)


def _show_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("stream")
    parser.add_argument("--reveal", action="store_true", help="decrypt personal fields")


def _rebuild_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("view")
    parser.add_argument("--verify", action="store_true", help="compare with the live tables first; a difference forbids the switch")
    parser.add_argument("--keep-old", action="store_true", help="leave the version before; what is erased from now on stays in it")
    parser.add_argument("--drop-old", action="store_true", help="only drop the tables of versions that are not used any more")


COMMANDS: Final = (
    Command("migrate", "Bring the database to the present schema.", _migrate, _migrate_arguments),
    Command("relay status", "Show how far the log is published.", _relay_status),
    Command("relay rewind", "Publish again from a position.", _relay_rewind, lambda p: p.add_argument("--to", type=int, required=True)),
    Command("restored", "Show what Kafka holds and a restored database does not.", restored, _restored_arguments),
    Command("parked list", "Show records that were put aside.", _parked_list, _list_arguments),
    Command("parked retry", "Try a parked record again.", _parked_retry, _retry_arguments),
    Command("parked discard", "Give a parked record up.", _parked_discard, _parked_arguments),
    Command("rebuild", "Make a read model again from the log while users keep working.", rebuild, _rebuild_arguments),
    Command("events show", "Show the events of a stream.", show, _show_arguments),
    Command("verify-chain", "Recompute the hashes of a stream, or of all.", verify_chain, lambda p: p.add_argument("stream", nargs="?")),
)  # fmt: skip
