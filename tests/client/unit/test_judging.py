"""Judging a key: the order of the refusals and every rule."""

import contextlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from latchkey.judging import Code, PairRecord, PairStatus, RingRecord, decode_ring, encode_ring, is_open, judge
from latchkey.keyformat import Kind
from latchkey.states import BadState

JSON = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.text() | st.integers()) | st.dictionaries(st.text(), st.text())
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
PAIR = PairRecord("kr_1", "kp_1", "app_1", "acc_1", "live", b"p" * 32, b"s" * 32, PairStatus.ACTIVE, "lin_1")


def code(record: PairRecord | None, kind: Kind = Kind.SECRET, **asked: str | None) -> Code:
    return judge(record, kind, NOW, origin=asked.get("origin"), ip=asked.get("ip"), scope=asked.get("scope"))


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (None, Code.NOT_FOUND),
        (PAIR, Code.VALID),
        (replace(PAIR, status=PairStatus.REVOKED, expires_at=NOW, suspended=True), Code.REVOKED),
        (replace(PAIR, status=PairStatus.EXPIRED, suspended=True), Code.EXPIRED),
        (replace(PAIR, status=PairStatus.RETIRED, expires_at=NOW), Code.EXPIRED),
        (replace(PAIR, status=PairStatus.RETIRED, suspended=True), Code.ROTATED),
        (replace(PAIR, status=PairStatus.RETIRING), Code.ROTATED),
        (replace(PAIR, status=PairStatus.RETIRING, valid_until=NOW), Code.ROTATED),
        (replace(PAIR, status=PairStatus.RETIRING, valid_until=NOW + SECOND), Code.VALID),
        (replace(PAIR, status=PairStatus.DISABLED, suspended=True), Code.APP_DISABLED),
        (replace(PAIR, suspended=True), Code.APP_DISABLED),
        (replace(PAIR, status=PairStatus.DISABLED), Code.DISABLED),
        (replace(PAIR, expires_at=NOW), Code.EXPIRED),
        (replace(PAIR, expires_at=NOW + SECOND), Code.VALID),
    ],
)
def test_what_ended_comes_before_what_may_pass(record: PairRecord | None, expected: Code) -> None:
    assert code(record) is expected


def test_a_secret_key_from_a_browser_is_refused() -> None:
    assert code(PAIR, origin="https://shop.example") is Code.FORBIDDEN_ORIGIN
    assert code(PAIR, Kind.PUBLIC, origin="https://shop.example") is Code.VALID


def test_a_public_key_is_good_from_its_origins_only() -> None:
    bound = replace(PAIR, allowed_origins=frozenset({"https://shop.example"}))
    assert code(bound, Kind.PUBLIC, origin="https://Shop.example") is Code.VALID
    assert code(bound, Kind.PUBLIC, origin="https://evil.example") is Code.FORBIDDEN_ORIGIN
    assert code(bound, Kind.PUBLIC) is Code.FORBIDDEN_ORIGIN
    assert code(bound) is Code.VALID


@pytest.mark.parametrize(
    ("ip", "expected"),
    [
        ("10.1.2.3", Code.VALID),
        ("::ffff:10.1.2.3", Code.VALID),
        ("2001:db8::7", Code.VALID),
        ("11.1.2.3", Code.FORBIDDEN_IP),
        ("nonsense", Code.FORBIDDEN_IP),
        (None, Code.FORBIDDEN_IP),
    ],
)
def test_a_key_is_good_from_its_addresses_only(ip: str | None, expected: Code) -> None:
    assert code(replace(PAIR, allowed_ips=frozenset({"10.0.0.0/8", "2001:db8::7"})), ip=ip) is expected


def test_a_scope_that_is_asked_for_must_be_there() -> None:
    scoped = replace(PAIR, scopes=frozenset({"pay"}))
    assert [code(scoped, scope="pay"), code(scoped, scope="read"), code(PAIR, scope="pay"), code(scoped)] == [
        Code.VALID,
        Code.INSUFFICIENT_SCOPE,
        Code.INSUFFICIENT_SCOPE,
        Code.VALID,
    ]


EACH: dict[str, list[Any]] = {
    "status": list(PairStatus), "suspended": [False, True], "expires_at": [None, NOW, NOW + SECOND], "valid_until": [None, NOW + SECOND],
    "allowed_origins": [frozenset(), frozenset({"https://shop.example"})], "allowed_ips": [frozenset(), frozenset({"10.0.0.0/8"})],
    "scopes": [frozenset(), frozenset({"pay"})],
}  # fmt: skip


def test_an_open_pair_is_good_for_every_question_that_names_no_origin_and_no_scope_and_no_other_is() -> None:
    for values in product(*EACH.values()):
        record = replace(PAIR, **dict(zip(EACH, values, strict=True)))
        asked = product(Kind, (NOW - SECOND, NOW, NOW + 2 * SECOND), (None, "10.1.2.3", "11.1.2.3"))
        always = all(judge(record, kind, now, origin=None, ip=ip, scope=None) is Code.VALID for kind, now, ip in asked)
        assert is_open(record) is always


def test_a_ring_comes_back_as_it_was_written() -> None:
    second = replace(
        PAIR,
        pair_id="kp_2",
        status=PairStatus.RETIRING,
        valid_until=NOW,
        expires_at=NOW + SECOND,
        scopes=frozenset({"pay"}),
        allowed_ips=frozenset({"10.0.0.0/8"}),
    )
    for ring in (RingRecord("kr_1", 7, (PAIR, second)), RingRecord("kr_1", 1, ())):
        assert decode_ring(encode_ring(ring).encode()) == ring
    assert decode_ring(None) is None


RING = json.loads(encode_ring(RingRecord("kr_1", 7, (PAIR,))))


@settings(max_examples=40)
@given(st.sampled_from(sorted(RING["data"]["pairs"][0])), JSON)
def test_a_ring_is_read_whole_or_named_unreadable(name: str, value: object) -> None:
    changed = json.loads(json.dumps(RING))
    changed["data"]["pairs"][0][name] = value
    with contextlib.suppress(BadState):
        read = decode_ring(json.dumps(changed).encode())
        assert read is not None
        code(read.pairs[0])


@pytest.mark.parametrize(
    "raw",
    [
        b"[" * 100_000,
        b'{"kind":"k","subject":"s","streamversion":1,"globalposition":7,"data":{}}',
        json.dumps(RING | {"data": RING["data"] | {"environment": "moon"}}).encode(),
        json.dumps(RING | {"data": {}}).encode(),
    ],
    ids=["deep", "position", "environment", "empty"],
)
def test_bytes_that_are_no_ring_are_named_so(raw: bytes) -> None:
    with pytest.raises(BadState):
        decode_ring(raw)
