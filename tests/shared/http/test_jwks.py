"""Identity's keys: fetched when needed, not more often than every 30 seconds, kept when identity is away."""

import asyncio
import json
from typing import Any

import httpx2 as httpx
import jwt
import pytest

from shared.http.jwks import JwksKeys
from shared.http.refusals import KeysAway
from tests.tokens import PRIVATE

ENTRY = json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(PRIVATE.public_key()))


class Identity:
    """Answers with `document`, or does not answer while that is None; counts, and moves the clock by hand."""

    def __init__(self) -> None:
        self.document: Any = {"keys": [ENTRY | {"kid": "k1", "use": "sig"}]}
        self.asked, self.now = 0, 1_000.0
        self.keys = JwksKeys("http://identity/jwks", transport=httpx.MockTransport(self._answer), clock=lambda: self.now)

    def _answer(self, _request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.document is None:
            raise httpx.ConnectError("refused")
        return httpx.Response(200, json=self.document)


async def test_a_key_is_fetched_once() -> None:
    identity = Identity()
    async with identity.keys as keys:
        assert await keys.key("k1")
        assert await keys.key("k1")
    assert identity.asked == 1


async def test_unknown_ids_refresh_at_most_once_in_30_seconds() -> None:
    identity = Identity()
    async with identity.keys as keys:
        await keys.key("k1")
        identity.now += 29
        assert await asyncio.gather(*(keys.key(f"x{number}") for number in range(20))) == [None] * 20
        assert identity.asked == 1
        identity.now += 1
        identity.document = {"keys": [ENTRY | {"kid": "k2"}]}
        assert all(await asyncio.gather(*(keys.key("k2") for _ in range(20))))
        assert identity.asked == 2


async def test_the_last_good_set_stays_while_identity_is_away_or_talks_nonsense() -> None:
    identity = Identity()
    async with identity.keys as keys:
        await keys.key("k1")
        nonsense: list[Any] = [None, {}, [], {"keys": []}, {"keys": "k1"}, {"keys": [{"kty": "RSA", "kid": "k1"}, 7]}]
        for document in nonsense:
            identity.document = document
            identity.now += 31
            assert await keys.key("k2") is None
            assert await keys.key("k1")
    assert identity.asked == 7


async def test_before_the_first_set_it_says_that_it_cannot_know_and_asks_again_soon() -> None:
    identity = Identity()
    identity.document = None
    async with identity.keys as keys:
        for _ in range(3):
            with pytest.raises(KeysAway):
                await keys.key("k1")
        assert identity.asked == 1
        identity.document = {"keys": [ENTRY | {"kid": "k1"}]}
        identity.now += 1
        assert await keys.key("k1")


async def test_a_withdrawn_key_stops_counting_after_a_refresh_in_the_background() -> None:
    identity = Identity()
    async with identity.keys as keys:
        await keys.key("k1")
        identity.document = {"keys": [ENTRY | {"kid": "k2"}]}
        identity.now += 301
        assert await keys.key("k1")
        for _ in range(20):
            await asyncio.sleep(0)
        assert await keys.key("k1") is None
        assert await keys.key("k2")
    assert identity.asked == 2


@pytest.mark.parametrize(
    "entry",
    [
        ENTRY | {"kid": 7},
        ENTRY | {"kid": "k1", "use": "enc"},
        ENTRY | {"kid": "k1", "crv": "Ed448"},
        {"kid": "k1", "kty": "oct", "k": "AA"},
    ],
)
async def test_only_ed25519_signing_keys_count(entry: dict[str, Any]) -> None:
    identity = Identity()
    identity.document = {"keys": [entry]}
    async with identity.keys as keys:
        with pytest.raises(KeysAway):
            await keys.key("k1")
