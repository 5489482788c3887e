"""Which tokens count: ours, now, for as long as nobody took them back."""

import base64
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from latchkey.events.identity import AccountErased, AccountVerified, SessionsRevoked

from shared.errors import Refusal
from shared.http.credentials import basic_of, bearer_of, secret_key_of
from shared.http.refusals import SessionRevoked, TokenExpired, TokenInvalid
from shared.http.revocations import REMEMBERED, Heard
from shared.http.tokens import PERSON_TYPE, SERVICE_TYPE, NeverRevoked, TokenChecker
from tests.tokens import KEY_ID, PRIVATE, OneKey, claims, sign

PUBLIC = PRIVATE.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
STRANGER = Ed25519PrivateKey.generate()


class CountingKeys(OneKey):
    """Counts how often a signature had to be checked."""

    asked = 0

    async def key(self, kid: str) -> Ed25519PublicKey | None:
        self.asked += 1
        return await super().key(kid)


def checker(heard: Heard | None = None) -> TokenChecker:
    return TokenChecker(OneKey(), heard or NeverRevoked())


def good(**changed: Any) -> str:
    return sign(claims(**changed), typ=PERSON_TYPE)


def parts(*pieces: object) -> str:
    """A token of these pieces: bytes as they are, anything else as JSON."""
    raw = (piece if isinstance(piece, bytes) else json.dumps(piece).encode() for piece in pieces)
    return ".".join(base64.urlsafe_b64encode(piece).rstrip(b"=").decode() for piece in raw)


async def test_a_person_is_known_by_account_session_and_generation() -> None:
    found = await checker().check(good())
    assert (found.kind, found.subject, found.session_id, found.generation, found.scopes) == ("person", "acc_1", "ses_1", 1, frozenset())


async def test_a_machine_is_known_by_client_and_scopes() -> None:
    found = await checker().check(sign(claims(sub="cli_1", scope="keys:verify feed:keys", sid=None, gen=None), typ=SERVICE_TYPE))
    assert (found.kind, found.subject, found.scopes) == ("service", "cli_1", frozenset({"keys:verify", "feed:keys"}))


HEADER = {"alg": "EdDSA", "typ": PERSON_TYPE, "kid": KEY_ID}


def _forged() -> dict[str, str]:
    """Tokens that must not count, by what is wrong with each; signed when asked for, so that none is refused only for its age."""
    return {
        "no token": "hunter2",
        "empty": "",
        "two dots": "..",
        "not ASCII": "ü.ü.ü",
        "half a surrogate pair": "\ud800.a.b",
        "too long": "a" * 5_000,
        "alg none": parts(HEADER | {"alg": "none"}, claims(), b""),
        "alg None by case": parts(HEADER | {"alg": "nOnE"}, claims(), b""),
        "signature missing": parts(HEADER, claims(), b""),
        "HMAC with the public key as secret": jwt.encode(claims(), PUBLIC, algorithm="HS256", headers={"typ": PERSON_TYPE, "kid": KEY_ID}),
        "another key under our id": jwt.encode(claims(), STRANGER, algorithm="EdDSA", headers={"typ": PERSON_TYPE, "kid": KEY_ID}),
        "a key brought along": jwt.encode(
            claims(), STRANGER, algorithm="EdDSA",
            headers={"typ": PERSON_TYPE, "kid": KEY_ID, "jwk": json.loads(jwt.algorithms.OKPAlgorithm.to_jwk(STRANGER.public_key()))},
        ),
        "unknown key id": sign(claims(), typ=PERSON_TYPE, kid="other"),
        "key id that is a path": sign(claims(), typ=PERSON_TYPE, kid="../../dev/null"),
        "key id missing": jwt.encode(claims(), PRIVATE, algorithm="EdDSA", headers={"typ": PERSON_TYPE}),
        "key id no text": parts(HEADER | {"kid": ["k1"]}, claims(), b"x"),
        "ordinary type": sign(claims(), typ="JWT"),
        "type missing": sign(claims(), typ=None),
        "critical extension": sign(claims(), typ=PERSON_TYPE, crit=["exp"]),
        "foreign issuer": good(iss="elsewhere"),
        "foreign audience": good(aud="elsewhere"),
        "audience as one of several": good(aud=["latchkey", "elsewhere"]),
        "no subject": good(sub=None),
        "empty subject": good(sub=""),
        "no end": good(exp=None),
        "no session": good(sid=None),
        "no generation": good(gen=None),
        "generation no number": good(gen="1"),
        "generation a yes": good(gen=True),
        "from the future": good(iat=int(time.time()) + 60, exp=int(time.time()) + 360),
        "living too long": good(exp=int(time.time()) + 7_200),
    }  # fmt: skip


@pytest.mark.parametrize("name", _forged())
async def test_no_forgery_counts(name: str) -> None:
    with pytest.raises(TokenInvalid):
        await checker().check(_forged()[name])


async def test_a_token_counts_where_the_clock_is_a_little_behind_identitys() -> None:
    ahead = int(time.time()) + 20
    assert (await checker().check(good(iat=ahead, exp=ahead + 300))).subject == "acc_1"


async def test_an_expired_token_is_told_apart_so_that_a_client_refreshes() -> None:
    now = int(time.time())
    with pytest.raises(TokenExpired):
        await checker().check(good(iat=now - 400, exp=now - 100))


async def test_a_known_token_is_not_verified_again_and_still_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    keys = CountingKeys()
    remembering, token = TokenChecker(keys, NeverRevoked()), good()
    for _ in range(3):
        await remembering.check(token)
    assert keys.asked == 1
    later = time.time() + 301
    monkeypatch.setattr(time, "time", lambda: later)
    with pytest.raises(TokenExpired):
        await remembering.check(token)


async def test_the_memory_for_tokens_is_bounded() -> None:
    keys = CountingKeys()
    remembering, first = TokenChecker(keys, NeverRevoked(), cached=1), good()
    for token in (first, good(jti="j2"), first):
        await remembering.check(token)
    assert keys.asked == 3


@pytest.mark.parametrize(
    ("event", "refused"),
    [
        (SessionsRevoked(account_id="acc_1", generation=2), True),
        (SessionsRevoked(account_id="acc_1", generation=1), False),
        (SessionsRevoked(account_id="acc_2", generation=2), False),
        (SessionsRevoked(account_id="acc_1", session_id="ses_1"), True),
        (SessionsRevoked(account_id="acc_1", session_id="ses_2"), False),
        (AccountErased(account_id="acc_1"), True),
        (AccountVerified(account_id="acc_1"), False),
    ],
)
async def test_a_revoked_session_is_refused_also_when_its_token_is_known(event: Any, refused: bool) -> None:
    heard = Heard()
    remembering, token = checker(heard), good()
    await remembering.check(token)
    heard.hear(event)
    if refused:
        with pytest.raises(SessionRevoked):
            await remembering.check(token)
    else:
        await remembering.check(token)


async def test_a_generation_never_goes_back() -> None:
    heard = Heard()
    heard.hear(SessionsRevoked(account_id="acc_1", generation=5))
    heard.hear(SessionsRevoked(account_id="acc_1", generation=2))
    with pytest.raises(SessionRevoked):
        await checker(heard).check(good(gen=4))


async def test_revocations_are_forgotten_when_no_token_can_be_that_old() -> None:
    now = 0.0
    heard = Heard(clock=lambda: now)
    heard.hear(SessionsRevoked(account_id="acc_1", generation=2))
    now = REMEMBERED + 1
    heard.hear(SessionsRevoked(account_id="acc_2", generation=2))
    assert list(heard._until) == ["account acc_2"]


def basic(text: bytes) -> str:
    return f"Basic {base64.b64encode(text).decode()}"


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("Bearer abc", "abc"),
        ("bearer  abc ", "abc"),
        ("Bearer", None),
        ("Bearer ", None),
        ("Basic abc", None),
        (None, None),
        ("Bearer " + "a" * 9_000, None),
    ],
)
def test_a_bearer_token_stands_after_its_scheme(sent: str | None, expected: str | None) -> None:
    assert bearer_of(sent) == expected


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (basic(b"a:b:c"), ("a", "b:c")),
        (basic(b"a:"), ("a", "")),
        (basic(b"a"), None),
        (basic(b"\xff:"), None),
        ("Basic ***", None),
        ("Bearer x", None),
    ],
)
def test_basic_credentials_are_parted_at_the_first_colon(sent: str, expected: tuple[str, str] | None) -> None:
    assert basic_of(sent) == expected


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (basic(b"lk_sk_live_x:"), "lk_sk_live_x"),
        ("Bearer lk_sk_test_x", "lk_sk_test_x"),
        (basic(b"lk_pk_live_x:"), None),
        ("Bearer eyJ.x.y", None),
        (None, None),
    ],
)
def test_a_secret_key_comes_as_user_name_or_as_bearer(sent: str | None, expected: str | None) -> None:
    assert secret_key_of({} if sent is None else {"authorization": sent}) == expected


def test_every_refusal_of_a_token_is_a_401() -> None:
    kinds: list[type[Refusal]] = [TokenInvalid, TokenExpired, SessionRevoked]
    assert {kind.status for kind in kinds} == {401}
