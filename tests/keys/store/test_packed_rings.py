"""What PostgreSQL packs of the view is what `latchkey.packing` packs: the format is known in two places."""

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import asyncpg
import pytest
from latchkey.keyformat import Environment, Kind, key_digest
from latchkey.packing import handles, pack, unpack
from latchkey.rings import PairRecord, PairStatus, RingRecord

from services.keys.domain.keyring import ENDED_KEPT
from services.keys.projections.packed_rings import packed_rings
from stack.databases import Database
from tests.keys.builders import NOW, key

pytestmark = pytest.mark.stack
_ENDED: Final = (PairStatus.RETIRED, PairStatus.REVOKED, PairStatus.EXPIRED)
_RULES: Final = frozenset({"payments:write", "https://shop.example:8443", 'ключ "a\\b"\n,c'})
_LATER: Final = NOW + timedelta(days=1, microseconds=1)
_RESTRICTIONS: Final[tuple[dict[str, Any], ...]] = (
    {"valid_until": _LATER}, {"expires_at": _LATER}, {"scopes": _RULES}, {"allowed_origins": _RULES}, {"allowed_ips": _RULES},
)  # fmt: skip


def _pair(ring_id: str, pair_id: str, status: PairStatus = PairStatus.ACTIVE, **rest: Any) -> PairRecord:
    digests = key_digest(key(Kind.PUBLIC, pair_id)), key_digest(key(Kind.SECRET, pair_id))
    return replace(PairRecord(ring_id, pair_id, "app_1", "acc_1", Environment.TEST, *digests, status, f"kl_{pair_id}"), **rest)


def _rings() -> Iterator[RingRecord]:
    """One of each status, one of each restriction, and one that is suspended, with more ended pairs than are kept."""
    for status in PairStatus:
        yield RingRecord(f"kr_{status}", 1, (_pair(f"kr_{status}", f"kp_{status}", status),))
    for number, restriction in enumerate(_RESTRICTIONS):
        yield RingRecord(f"kr_{number}", 2**31 - 1, (_pair(f"kr_{number}", f"kp_{number}", **restriction),))
    shared: Any = {"suspended": True, "environment": Environment.LIVE, "tenant": "acc_ключ"}
    live = [
        _pair("kr_all", "kp_all", scopes=_RULES, expires_at=_LATER, **shared),
        _pair("kr_all", "kp_old", PairStatus.RETIRING, valid_until=_LATER, **shared),
    ]
    ended = [_pair("kr_all", f"kp_{number:03}", _ENDED[number % 3], **shared) for number in range(ENDED_KEPT + 2)]
    yield RingRecord("kr_all", 7, (*live, *ended))


async def _write(db: asyncpg.Connection, ring: RingRecord) -> None:
    first = ring.pairs[0]
    place = (ring.ring_id, first.app_id, first.environment, first.tenant)
    await db.execute("INSERT INTO keyrings VALUES ($1, $2, $3, $4, 9, $5)", *place, ring.streamversion)
    for reason, suspends in (("app_disabled", first.suspended), ("unsubscribed", False)):
        await db.execute("INSERT INTO ring_standings VALUES ($1, $2, 'app_1', 1, $3)", ring.ring_id, reason, suspends)
    for number, pair in enumerate(ring.pairs):
        ended_at = NOW + timedelta(seconds=number) if pair.status in _ENDED else None
        rules = _RULES if ended_at else pair.scopes, pair.allowed_origins, pair.allowed_ips  # those of an ended pair say nothing
        await db.execute(
            "INSERT INTO pairs (pair_id, ring_id, lineage_id, public_key, secret_digest, secret_last_four, created_at, expires_at, scopes, "
            "allowed_origins, allowed_ips, status, valid_until, ended_at) VALUES ($1,$2,$3,$4,$5,'',$6,$7,$8,$9,$10,$11,$12,$13)",
            pair.pair_id, ring.ring_id, pair.lineage_id, key(Kind.PUBLIC, pair.pair_id), pair.secret_digest, NOW, pair.expires_at,
            *map(sorted, rules), pair.status, pair.valid_until, ended_at,
        )  # fmt: skip


def _kept(ring: RingRecord) -> RingRecord:
    """As it is to be loaded: of the ended pairs, which end in the order given, the last ones."""
    ended = [pair for pair in ring.pairs if pair.status in _ENDED][-ENDED_KEPT:]
    return replace(ring, pairs=tuple(pair for pair in ring.pairs if pair.status not in _ENDED or pair in ended))


def _by_pair(ring: RingRecord) -> RingRecord:
    return replace(ring, pairs=tuple(sorted(ring.pairs, key=lambda pair: pair.pair_id)))


@pytest.fixture
async def db(database: Database) -> AsyncIterator[asyncpg.Connection]:
    """A connection that shows moments in a zone of its own, in a transaction that is undone."""
    made = await asyncpg.connect(database.owner, server_settings={"timezone": "Asia/Kolkata"})
    undone = made.transaction()
    await undone.start()
    yield made
    await undone.rollback()
    await made.close()


async def test_a_status_that_this_version_does_not_know_is_an_error_and_no_other_status(db: asyncpg.Connection) -> None:
    await _write(db, next(_rings()))
    await db.execute("UPDATE pairs SET status = 'paused'")
    with pytest.raises(asyncpg.DataError, match="paused"):
        await anext(packed_rings(db))


async def test_whoever_leaves_early_can_go_on_with_the_connection(db: asyncpg.Connection) -> None:
    for ring in _rings():
        await _write(db, ring)
    async with aclosing(packed_rings(db, 2)) as pages:
        await anext(pages)
    assert await db.fetchval("SELECT count(*) > 2 FROM keyrings")


async def test_a_ring_is_packed_by_postgres_as_it_is_packed_here(db: asyncpg.Connection) -> None:
    """I7. Page by page, whatever zone the session shows moments in; an end that PostgreSQL keeps as infinity is none, and a ring without
    pairs has nothing to be found by."""
    rings = list(_rings())
    for ring in rings:
        await _write(db, ring)
    await db.execute("INSERT INTO keyrings VALUES ('kr_empty', 'app_1', 'test', 'acc_1', 1, 1)")
    await db.execute("UPDATE pairs SET expires_at = 'infinity' WHERE ring_id = 'kr_active'")
    packed = [each async for page in packed_rings(db, 2) for each in page]
    loaded = [_by_pair(unpack(each)) for each in packed]
    assert sorted(loaded, key=lambda ring: ring.ring_id) == sorted((_by_pair(_kept(ring)) for ring in rings), key=lambda ring: ring.ring_id)
    for each in packed:
        ring = unpack(each)
        digests = [digest for pair in ring.pairs for digest in (pair.public_digest, pair.secret_digest)]
        assert handles(each) == (ring.ring_id.encode(), digests) == handles(pack(ring))
