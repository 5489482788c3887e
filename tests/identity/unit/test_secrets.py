"""Digests, refresh tokens, signed tokens, passwords."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime

import jwt
import pytest

from services.identity.commands.hashing import Passwords
from services.identity.commands.secrets import Digests, RefreshTokens, new_code
from services.identity.commands.tokens import Signer
from services.identity.domain.errors import HashingBusy, PasswordTooWeak, RefreshRefused
from shared.http.refusals import TokenExpired, TokenInvalid
from shared.http.tokens import NeverRevoked, TokenChecker

MASTER = bytes(range(32))
STRONG = "correct-horse-battery-staple-7"


def test_an_address_has_one_digest_in_any_case() -> None:
    digests = Digests(MASTER)
    assert digests.email("Ann@Example.com") == digests.email("ann@example.COM")
    assert digests.email("ann@example.com") != Digests(bytes(32)).email("ann@example.com")


def test_a_code_is_six_digits_and_bound_to_account_and_purpose() -> None:
    assert all(len(code) == 6 and code.isdigit() for code in (new_code() for _ in range(50)))
    digests = Digests(MASTER)
    seen = {digests.code(purpose, account, "123456") for purpose in ("verify", "reset") for account in ("acc_1", "acc_2")}
    assert len(seen) == 4


def test_a_token_always_meets_the_same_successor() -> None:
    tokens = RefreshTokens(MASTER)
    first = tokens.first("ses_1")
    assert tokens.successor(first) == tokens.successor(first) != first
    assert tokens.session_of(tokens.successor(first)) == "ses_1"
    assert tokens.first("ses_1") != first


@pytest.mark.parametrize("spoil", [lambda t: t[:-1], lambda t: "ses_2" + t[5:], lambda _: "", lambda _: "a.b.c", lambda t: t + "é"])
def test_a_token_that_we_did_not_make_is_refused(spoil: Callable[[str], str]) -> None:
    tokens = RefreshTokens(MASTER)
    with pytest.raises(RefreshRefused):
        tokens.session_of(spoil(tokens.first("ses_1")))


async def test_access_tokens_say_who_and_which_session_for_five_minutes() -> None:
    signer, now = Signer(MASTER), datetime.now(UTC)
    claims = await TokenChecker(signer, NeverRevoked()).check(signer.access_token("acc_1", "ses_1", 3, now))
    assert (claims.kind, claims.subject, claims.session_id, claims.generation) == ("person", "acc_1", "ses_1", 3)
    assert claims.expires_at - claims.issued_at == 300
    old = datetime.fromtimestamp(time.time() - 301, UTC)
    with pytest.raises(TokenExpired):
        await TokenChecker(signer, NeverRevoked()).check(signer.access_token("acc_1", "ses_1", 3, old))


async def test_service_tokens_say_scopes_for_fifteen_minutes() -> None:
    signer = Signer(MASTER)
    claims = await TokenChecker(signer, NeverRevoked()).check(
        signer.service_token("svc_1", ("feed:keys", "keys:verify"), datetime.now(UTC))
    )
    assert (claims.kind, claims.subject, claims.scopes) == ("service", "svc_1", frozenset({"feed:keys", "keys:verify"}))
    assert claims.expires_at - claims.issued_at == 900


async def test_whoever_fetched_the_keys_before_a_rotation_has_the_one_that_signs_after_it() -> None:
    token = Signer(MASTER, 2).access_token("acc_1", "ses_1", 1, datetime.now(UTC))
    assert (await TokenChecker(Signer(MASTER, 1), NeverRevoked()).check(token)).subject == "acc_1"


async def test_after_a_rotation_tokens_of_the_key_before_still_count_and_older_ones_do_not() -> None:
    token = Signer(MASTER, 1).access_token("acc_1", "ses_1", 1, datetime.now(UTC))
    assert len(Signer(MASTER, 2).jwks()["keys"]) == 3
    assert (await TokenChecker(Signer(MASTER, 2), NeverRevoked()).check(token)).subject == "acc_1"
    with pytest.raises(TokenInvalid):
        await TokenChecker(Signer(MASTER, 3), NeverRevoked()).check(token)


def test_published_keys_are_public_only() -> None:
    for key in Signer(MASTER).jwks()["keys"]:
        assert (key["kty"], key["crv"], key["alg"], key["use"]) == ("OKP", "Ed25519", "EdDSA", "sig")
        assert "d" not in key
    assert jwt.PyJWK(key).key_id == key["kid"]


@pytest.fixture
async def passwords() -> AsyncIterator[Passwords]:
    """A pool of one thread with room for one more, and hashes that cost little."""
    made = Passwords(threads=1, waiting=1, memory_kib=8)
    yield made
    made.close()


@pytest.mark.slow  # it hashes
async def test_a_password_matches_its_own_hash_only(passwords: Passwords) -> None:
    made = await passwords.hash(STRONG, ())
    assert made.startswith("$argon2id$")
    assert await passwords.matches(made, STRONG)
    assert not await passwords.matches(made, STRONG + "x")
    assert not await passwords.matches(None, STRONG)


@pytest.mark.slow  # it hashes
async def test_an_accent_may_be_composed_either_way(passwords: Passwords) -> None:
    made = await passwords.hash("caf\u00e9-horse-battery-staple", ())
    assert await passwords.matches(made, "cafe\u0301-horse-battery-staple")


@pytest.mark.slow  # it hashes
@pytest.mark.parametrize("weak", ["password1234", "qwertyuiop", "aaaaaaaaaaaa", "annabel.smythe@example.com", "AnnabelSmythe1"])
async def test_common_and_personal_passwords_are_refused(passwords: Passwords, weak: str) -> None:
    with pytest.raises(PasswordTooWeak) as refused:
        await passwords.hash(weak, ("annabel.smythe@example.com", "Annabel Smythe"), pointer="/new_password")
    assert refused.value.errors[0].pointer == "/new_password"


@pytest.mark.slow  # it hashes
async def test_a_long_password_is_judged_soon(passwords: Passwords) -> None:
    longest = STRONG + "aZ3$" * 24
    began = time.monotonic()
    made = await passwords.hash(longest, ())
    assert time.monotonic() - began < 2
    assert await passwords.matches(made, longest)
    assert not await passwords.matches(made, longest[:-1])


@pytest.mark.slow  # it hashes
async def test_whoever_comes_when_the_line_is_full_is_sent_away(passwords: Passwords) -> None:
    tries = [passwords.hash(STRONG, ()) for _ in range(6)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(outcome, HashingBusy) for outcome in outcomes) >= 2  # a thread may have finished meanwhile
    assert (await passwords.hash(STRONG, ())).startswith("$argon2id$")
