"""The key string: what is made can be read, what is not ours is refused without a look-up."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from latchkey import base62
from latchkey.keyformat import Environment, Kind, key_digest, last_four, make_key, parse_key

SECRET = make_key(Kind.SECRET, Environment.LIVE, bytes(range(32)))


@settings(max_examples=30)
@given(st.sampled_from(Kind), st.sampled_from(Environment), st.binary(min_size=32, max_size=32))
def test_a_made_key_says_what_it_is(kind: Kind, environment: Environment, entropy: bytes) -> None:
    text = make_key(kind, environment, entropy)
    assert parse_key(text) == (kind, environment, text)
    assert len(text) == 60


@settings(max_examples=60)
@given(st.integers(0, len(SECRET) - 1), st.sampled_from(base62.ALPHABET))
def test_one_wrong_character_is_no_key(place: int, character: str) -> None:
    typo = SECRET[:place] + character + SECRET[place + 1 :]
    assert (parse_key(typo) is None) == (typo != SECRET)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sk_live_abc",
        SECRET[:-1],
        SECRET + "0",
        SECRET.replace("_sk_", "_pk_"),
        SECRET.replace("live", "test"),
        "lk_sk_live_" + "é" * 49,
    ],
)
def test_a_foreign_text_is_no_key(text: str) -> None:
    assert parse_key(text) is None


def test_entropy_is_32_bytes() -> None:
    with pytest.raises(ValueError, match="32 random bytes"):
        make_key(Kind.PUBLIC, Environment.TEST, b"short")


def test_the_digest_covers_prefix_and_body_but_not_the_checksum() -> None:
    body = bytes(32)
    digests = {key_digest(make_key(kind, environment, body)) for kind in Kind for environment in Environment}
    assert len(digests) == 4
    assert key_digest(SECRET[:-6] + "zzzzzz") == key_digest(SECRET)
    assert last_four(SECRET) == SECRET[56:]


@settings(max_examples=30)
@given(st.lists(st.integers(0, 2**128 - 1), min_size=2, max_size=5))
def test_base62_sorts_as_its_numbers_do(numbers: list[int]) -> None:
    texts = [base62.encode(number, 22) for number in numbers]
    assert [base62.decode(text) for text in sorted(texts)] == sorted(numbers)


def test_base62_refuses_what_it_cannot_hold() -> None:
    for value, width in ((-1, 4), (62**4, 4)):
        with pytest.raises(ValueError, match="base62"):
            base62.encode(value, width)
    for text in ("", "a-b"):
        with pytest.raises(ValueError, match="base62"):
            base62.decode(text)
