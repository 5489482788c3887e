"""`ops restored`: what Kafka holds and a database that was restored from a backup does not, and how the log goes on from there."""

from collections.abc import Sequence
from typing import Final, NamedTuple

import asyncpg
from aiokafka.errors import KafkaError
from latchkey.envelope import Envelope, decode
from latchkey.topics import IDENTITY_ERASURE_STATE, Topic

from shared.ops.kit import Arguments, Failed, Toolbox, say
from shared.relay.comparison import LogIsBehind, name_of, ours, refuse_if_behind, unknown
from shared.relay.leadership import Lease
from shared.relay.offsets import Offsets
from shared.relay.outlet import Outlet, Record
from shared.relay.relay import topics_of
from shared.relay.session import compacted

_KEEP: Final = "INSERT INTO es.lost SELECT * FROM unnest($1::bigint[], $2::text[], $3::int[], $4::bytea[])"
_GIVEN_AGAIN: Final = """
SELECT count(*) FROM es.events e JOIN unnest($1::bigint[], $2::text[], $3::int[]) AS lost (position, stream_id, public_version)
ON e.position = lost.position OR (e.stream_id = lost.stream_id AND e.public_version = lost.public_version)
"""
_COMPARISONS: Final = 4
_GO_ON: Final = "SELECT setval('es.events_position', greatest($1, (SELECT last_value FROM es.events_position)))"
_WITHOUT: Final = "SELECT id FROM unnest($1::text[]) AS id WHERE NOT EXISTS (SELECT FROM es.events WHERE stream_id = id)"


class _Operator(Lease):
    """An operator sends beside whoever leads: tombstones, which may come twice."""

    def check(self) -> None:
        """Never raises."""


class Lost(NamedTuple):
    """An event that only Kafka holds, and its bytes without the position."""

    position: int
    event: Envelope
    frozen: bytes


async def restored(tools: Toolbox, arguments: Arguments) -> None:
    """Show what Kafka holds and the log does not; with `--accept` let the log go on behind it.

    Raises Failed while something is missing and was not accepted, and when events were appended since that carry numbers given before.
    """
    db, outlet = await asyncpg.connect(tools.owner(), timeout=60), _outlet(tools)
    try:
        await outlet.open()
        found = await _missing(db, outlet)
        for position, event, _ in found:
            say(f"{position}  {event.time:%Y-%m-%d %H:%M:%S}  {event.id}  {event.type}")
        if not found:
            return say("Kafka holds nothing that the log does not.")
        if not arguments.accept:
            raise Failed(f"Kafka holds {len(found)} events that the log does not: what they did is lost. Accept it by `restored --accept`.")
        ended = await _accept(db, outlet, found)
    except (KafkaError, TimeoutError) as away:
        raise Failed(f"Kafka does not answer ({type(away).__name__}), so nobody can say what it holds.") from away
    finally:
        await outlet.close()
        await db.close()
    return say(f"The log goes on behind {len(found)} lost events; {ended} states of streams that are gone were ended.")


async def keys_of(tools: Toolbox, topic: Topic) -> list[str]:
    """The keys of a compacted topic whose last record is no tombstone. Raises Failed when Kafka does not answer."""
    outlet, last = _outlet(tools, [topic]), dict[str, bool]()
    try:
        await outlet.open()
        async for record in outlet.records({place: (0, end) for place, end in (await outlet.ends()).items()}):
            if record.key is not None:
                last[record.key.decode(errors="replace")] = record.value is not None
    except (KafkaError, TimeoutError) as away:
        raise Failed(f"Kafka does not answer ({type(away).__name__}).") from away
    finally:
        await outlet.close()
    return [key for key, lives in last.items() if lives]


async def compare(tools: Toolbox, db: asyncpg.Connection) -> None:
    """Raise Failed when the database was restored from a backup and `restored` has not looked at it: nobody must write to it yet."""
    offsets = Offsets(compacted(topics_of(tools.service)))
    offsets.load(await db.fetchval("SELECT next_offsets::text FROM es.relay") or "{}")
    for attempts_left in range(_COMPARISONS - 1, -1, -1):  # a machine on which everything starts at once may be slow to answer
        outlet = _outlet(tools)
        try:
            await outlet.open()
            await refuse_if_behind(db, outlet, offsets)
        except LogIsBehind as behind:
            raise Failed(f"{behind}.") from behind
        except (KafkaError, TimeoutError) as away:
            if not attempts_left:
                raise Failed(f"Kafka does not answer ({type(away).__name__}), so it cannot be compared with the log.") from away
        else:
            return
        finally:
            await outlet.close()


def _outlet(tools: Toolbox, some: Sequence[Topic] = ()) -> Outlet:
    topics = some or topics_of(tools.service)
    if tools.kafka is None or not topics:
        raise Failed("This needs Kafka's address.")
    return Outlet(tools.kafka, topics, Offsets(()), _Operator())


async def _missing(db: asyncpg.Connection, outlet: Outlet) -> Sequence[Lost]:
    found: dict[str, Lost] = {}
    kept = {place: (0, end) for place, end in (await outlet.ends()).items() if not outlet.is_compacted(place[0])}
    async for position, value in unknown(db, outlet, kept):
        event = decode(value)
        found.setdefault(event.id, Lost(position, event, b"{" + value.partition(b",")[2]))
    return sorted(found.values(), key=lambda lost: lost.position)


async def _accept(db: asyncpg.Connection, outlet: Outlet, found: Sequence[Lost]) -> int:
    places = [lost.position for lost in found], [lost.event.subject for lost in found], [lost.event.streamversion for lost in found]
    async with db.transaction():
        again = await db.fetchval(_GIVEN_AGAIN, *places)
        if again:
            raise Failed(
                f"{again} events were appended since the restore under numbers that were given before. Restore again, then accept."
            )
        await db.execute(_KEEP, *places, [lost.frozen for lost in found])
        await db.execute(_GO_ON, found[-1].position)
    return await _end_states(db, outlet)


async def _end_states(db: asyncpg.Connection, outlet: Outlet) -> int:
    """Tombstones for the states of streams that the log has never heard of, so that no verifier honours a key which nobody can revoke.

    An erasure stands, whatever else is lost.
    """
    name = await name_of(db)
    ranges = {
        place: (0, end)
        for place, end in (await outlet.ends()).items()
        if outlet.is_compacted(place[0]) and place[0] != IDENTITY_ERASURE_STATE
    }
    last: dict[tuple[str, str], bool] = {}
    async for record in outlet.records(ranges):
        if record.key is not None and ours(record, name):
            last[record.topic, record.key.decode()] = record.value is not None
    alive = [place for place, lives in last.items() if lives]
    gone = {row[0] for row in await db.fetch(_WITHOUT, [key for _, key in alive])}
    ended = [Record(topic, key, None, []) for topic, key in alive if key in gone]
    await outlet.send(outlet.pack(ended))
    return len(ended)
