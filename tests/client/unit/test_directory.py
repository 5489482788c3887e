"""The packed table of rings says what a plain dict of rings would say, whatever is put, replaced, erased and looked up."""

from dataclasses import replace
from datetime import UTC, datetime
from sys import getsizeof

from hypothesis import given, settings
from hypothesis import strategies as st
from latchkey.directory import Directory
from latchkey.index import Index
from latchkey.keyformat import Environment, Kind, key_digest, make_key
from latchkey.packing import pack, unpack
from latchkey.rings import PairRecord, PairStatus, RingRecord

WORDS = st.frozensets(st.sampled_from(["payments:write", "https://shop.example:8443", "ключ", 'a"b\n,c']))
MOMENTS = st.none() | st.datetimes(timezones=st.just(UTC))


def key(kind: Kind, number: int, environment: Environment = Environment.TEST) -> str:
    return make_key(kind, environment, number.to_bytes(32))


def pair(ring: str, number: int, status: PairStatus = PairStatus.ACTIVE) -> PairRecord:
    digests = key_digest(key(Kind.PUBLIC, number)), key_digest(key(Kind.SECRET, number))
    return PairRecord(ring, f"kp_{number}", "app_1", "acc_1", Environment.TEST, *digests, status, f"kl_{number}")


def ring_of(number: int, version: int, pairs: int = 1) -> RingRecord:
    return RingRecord(f"kr_{number}", version, tuple(pair(f"kr_{number}", 10 * number + n) for n in range(pairs)))


RESTRICTED = st.builds(
    replace, st.just(pair("kr_1", 1)), status=st.sampled_from(PairStatus), valid_until=MOMENTS, expires_at=MOMENTS,
    scopes=WORDS, allowed_origins=WORDS, allowed_ips=WORDS,
)  # fmt: skip


@settings(max_examples=10)
@given(RESTRICTED, st.booleans(), st.sampled_from(Environment), st.integers(0, 3))
def test_a_ring_is_unpacked_as_it_was_packed(first: PairRecord, suspended: bool, environment: Environment, others: int) -> None:
    pairs = [replace(each, suspended=suspended, environment=environment) for each in (first, *(pair("kr_1", n) for n in range(others)))]
    for ring in (RingRecord("kr_1", 2**40, tuple(pairs)), RingRecord("kr_ключ", 0, ())):
        assert unpack(pack(ring)) == ring


def test_a_ring_with_one_pair_takes_no_more_memory_than_promised() -> None:
    ring = "kr_" + 22 * "0"
    digests = key_digest(key(Kind.PUBLIC, 1)), key_digest(key(Kind.SECRET, 1))
    one = PairRecord(
        ring, "kp_" + 22 * "0", "app_" + 22 * "0", "acc_" + 22 * "0", Environment.LIVE, *digests, PairStatus.ACTIVE, "kl_" + 22 * "0"
    )
    packed = pack(RingRecord(ring, 2**40, (one,)))
    assert getsizeof(packed) <= 240


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "put_packed", "put_packed", "distrust", "erase"]),
        st.integers(1, 4),
        st.integers(1, 5),
        st.integers(0, 3),
    ),
    max_size=30,
)


@settings(max_examples=10)
@given(ACTIONS)
def test_it_agrees_with_a_dict_of_rings(actions: list[tuple[str, int, int, int]]) -> None:
    directory, rings, erased = Directory(), dict[str, RingRecord](), set[str]()
    for action, number, version, pairs in actions:
        ring = ring_of(number, version, pairs)
        if action.startswith("put"):
            held = rings.get(ring.ring_id)
            newer = ring.ring_id not in erased and (held is None or held.streamversion < version)
            assert (directory.put(ring) if action == "put" else directory.put_packed(pack(ring))) is newer
            if newer:
                rings[ring.ring_id] = ring
        else:
            getattr(directory, action)(ring.ring_id)
            rings.pop(ring.ring_id, None)
            erased |= {ring.ring_id} if action == "erase" else set()
        known = {each.pair_id: each for held in rings.values() for each in held.pairs}
        assert len(directory) == len(rings)
        for asked in (10 * n + m for n in range(1, 5) for m in range(3)):
            for kind in Kind:  # twice: from the packed ring, and at hand
                assert [getattr(directory.look_up(key(kind, asked)), "record", None) for _ in range(2)] == 2 * [known.get(f"kp_{asked}")]


def test_a_key_of_another_environment_than_its_record_says_is_nobodys() -> None:
    directory = Directory()
    text = key(Kind.SECRET, 1, Environment.LIVE)
    directory.put(RingRecord("kr_1", 1, (replace(pair("kr_1", 1), secret_digest=key_digest(text)),)))
    assert directory.look_up(text) is None


def test_where_it_lies_is_told_apart_from_what_has_the_same_48_bits_and_from_tags_that_lie_across_two() -> None:
    index, digest = Index(), b"\0\1" + b"\0\0\0\7" + b"a" * 26
    index.add(digest, 7)
    index.add(digest[:6] + b"b" * 26, 0x7_0000)
    index.add(b"\0\1" + b"\7\0\7\0" + b"a" * 26, 1)
    assert list(index.candidates(digest)) == [7, 0x7_0000]
    index.remove(digest, 7)
    index.remove(digest, 7)
    assert list(index.candidates(digest)) == [0x7_0000]


def test_a_key_in_use_is_at_hand_until_its_ring_changes() -> None:
    directory = Directory()
    directory.put(ring_of(1, 1))
    first = directory.look_up(key(Kind.SECRET, 10))
    assert first is not None
    assert directory.look_up(key(Kind.SECRET, 10)) is first
    directory.put(RingRecord("kr_1", 2, (pair("kr_1", 10, PairStatus.REVOKED),)))
    changed = directory.look_up(key(Kind.SECRET, 10))
    assert changed is not None
    assert changed.record.status is PairStatus.REVOKED


def test_a_key_at_hand_is_found_only_by_its_whole_text() -> None:
    directory, text = Directory(), key(Kind.SECRET, 10)
    directory.put(ring_of(1, 1))
    for _ in range(2):  # before it is at hand, and then
        for typo in (text[:-1] + ("a" if text[-1] != "a" else "b"), text[:-6], text + "a", text[:-1] + "é", text[:-1] + "\ud800"):
            assert directory.look_up(typo) is None
        assert directory.look_up(text) is not None


def test_moments_keep_their_microseconds() -> None:
    moment = datetime(2026, 11, 24, 12, 0, 0, 1, tzinfo=UTC)
    [told] = unpack(pack(RingRecord("kr_1", 1, (replace(pair("kr_1", 1), expires_at=moment),)))).pairs
    assert told.expires_at == moment
