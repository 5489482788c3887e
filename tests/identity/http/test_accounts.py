"""Accounts over HTTP: register, verify, resend, profile."""

import asyncio

import pytest

from tests.identity.person import PASSWORD, Identity, Person, said

pytestmark = pytest.mark.stack
REGISTER, VERIFY, RESEND, ACCOUNT = "/v1/accounts", "/v1/accounts/verify", "/v1/accounts/resend", "/v1/account"


def form(**changes: str) -> dict[str, str]:
    return {"email": "ann@example.com", "password": PASSWORD, "name": "Ann"} | changes


async def test_registering_mails_a_code_that_verifies(identity: Identity) -> None:
    answer = await identity.post(REGISTER, form())
    assert (answer.status_code, answer.json()) == (202, {"status": "accepted"})
    [mail] = await identity.mails()
    assert (mail.to, mail.subject) == ("ann@example.com", "Your Latchkey code")
    verified = await identity.post(VERIFY, {"email": "ann@example.com", "code": mail.body.split()[3].rstrip(".")})
    assert verified.status_code == 200
    body = verified.json()
    assert (body["email"], body["name"], body["verified"], body["password_withdrawn"]) == ("ann@example.com", "Ann", True, False)
    assert verified.headers["etag"] == f'"{body["version"]}"'
    assert verified.headers["event-position"] == f"identity/{body['account_id']}/2"
    assert await identity.events() == ["AccountRegistered", "VerificationCodeSent", "AccountVerified"]


async def test_a_taken_address_gets_the_same_answer_and_its_owner_a_notice(identity: Identity) -> None:
    await identity.verified("ann@example.com")
    before = await identity.events()
    taken = await identity.post(REGISTER, form(email="Ann@EXAMPLE.com", name="Mallory"))
    free = await identity.post(REGISTER, form(email="ben@example.com"))
    assert said(taken) == said(free)
    notice, code = await identity.mails()
    assert (notice.to, notice.subject) == ("Ann@example.com", "You have a Latchkey account")
    assert code.to == "ben@example.com"
    assert (await identity.events())[: len(before)] == before
    assert len(await identity.events()) == len(before) + 2


async def test_one_mailbox_gets_ten_notices_a_day(identity: Identity) -> None:
    await identity.verified("ann@example.com")
    answers = [await identity.post(REGISTER, form()) for _ in range(12)]
    assert {answer.status_code for answer in answers} == {202}
    assert len(await identity.mails()) == 9  # the first registration counted too


async def test_registering_an_unverified_address_again_replaces_its_code(identity: Identity) -> None:
    await identity.post(REGISTER, form())
    first = await identity.mailed_code()
    await identity.post(REGISTER, form(password="another-horse-battery-staple-8"))
    second = await identity.mailed_code()
    if first != second:
        assert (await identity.post(VERIFY, {"email": "ann@example.com", "code": first})).status_code == 422
    verified = await identity.post(VERIFY, {"email": "ann@example.com", "code": second})
    assert (verified.status_code, verified.json()["password_withdrawn"]) == (200, True)


async def test_who_registers_an_address_beside_its_owner_does_not_get_in_with_her_code(identity: Identity) -> None:
    theirs = "another-horse-battery-staple-8"
    for password in (PASSWORD, theirs):
        await identity.post(REGISTER, form(password=password))
    plain, told = await identity.mails()
    assert ("more than once" in plain.body, "more than once" in told.body) == (False, True)
    code = told.body.split()[3].rstrip(".")
    assert (await identity.post(VERIFY, {"email": "ann@example.com", "code": code})).status_code == 200
    for password in (PASSWORD, theirs):
        assert (await identity.try_to_sign_in("ann@example.com", password)).status_code == 401
    await identity.post("/v1/password/forgot", {"email": "ann@example.com"})
    chosen = {"email": "ann@example.com", "code": await identity.mailed_code(), "password": PASSWORD}
    assert (await identity.post("/v1/password/reset", chosen)).status_code == 204
    assert (await identity.try_to_sign_in("ann@example.com", PASSWORD)).status_code == 201


async def test_registering_twice_with_one_password_keeps_it(identity: Identity) -> None:
    for _ in range(2):
        await identity.post(REGISTER, form())
    assert (await identity.post(VERIFY, {"email": "ann@example.com", "code": await identity.mailed_code()})).status_code == 200
    assert (await identity.try_to_sign_in("ann@example.com", PASSWORD)).status_code == 201


async def test_registering_at_the_same_moment_makes_one_account(identity: Identity) -> None:
    answers = await asyncio.gather(*(identity.post(REGISTER, form(name=f"Ann {number}")) for number in range(5)))
    assert {answer.status_code for answer in answers} == {202}
    assert (await identity.events()).count("AccountRegistered") == 1
    assert await identity.db.fetchval("SELECT count(*) FROM accounts") == 1


async def test_a_repeated_registration_with_one_key_sends_one_mail(identity: Identity) -> None:
    for _ in range(2):
        answer = await identity.post(REGISTER, form(), idempotency_key="press-1")
        assert answer.status_code == 202
    assert len(await identity.mails()) == 1
    other = await identity.post(REGISTER, form(name="Somebody else"), idempotency_key="press-1")
    assert (other.status_code, other.json()["code"]) == (409, "idempotency.key_reused")


async def test_every_wrong_field_is_named_at_once(identity: Identity) -> None:
    answer = await identity.post(REGISTER, {"email": "not an address", "password": "short", "name": " ", "colour": "red"})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert {error["pointer"] for error in answer.json()["errors"]} == {"/email", "/password", "/name", "/colour"}


@pytest.mark.parametrize("local", ["=?utf-8?q?=00?=", "=?utf-8?q?victim?=", "=?utf-8?b?dmljdGlt?=", "=?bogus"])
async def test_an_address_that_mails_would_read_as_another_is_refused(identity: Identity, local: str) -> None:
    answer = await identity.post(REGISTER, form(email=f"{local}@example.com"))
    assert (answer.status_code, [error["pointer"] for error in answer.json()["errors"]]) == (422, ["/email"])
    assert await identity.mails() == []


@pytest.mark.parametrize("password", ["password123", "ann@example.com", "x" * 129, "1234567"])
async def test_a_poor_password_is_refused_at_its_field(identity: Identity, password: str) -> None:
    answer = await identity.post(REGISTER, form(password=password))
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/password"]
    assert await identity.events() == []


async def test_an_address_is_one_in_any_case_and_script(identity: Identity) -> None:
    await identity.verified("Ann@B\u00fccher.example.com")
    [row] = await identity.db.fetch("SELECT email FROM accounts")
    assert row["email"] == "Ann@xn--bcher-kva.example.com"
    assert (await identity.try_to_sign_in("ann@xn--bcher-kva.EXAMPLE.com", PASSWORD)).status_code == 201


async def test_wrong_codes_look_alike_whatever_the_reason(identity: Identity) -> None:
    unknown = await identity.post(VERIFY, {"email": "nobody@example.com", "code": "000000"})
    person = await identity.register()
    code = await identity.mailed_code()
    wrong_code = f"{(int(code) + 1) % 1_000_000:06}"
    wrong = [await identity.post(VERIFY, {"email": person.email, "code": wrong_code}) for _ in range(5)]
    after_five = await identity.post(VERIFY, {"email": person.email, "code": code})
    assert said(unknown) == said(after_five)
    assert all(said(answer) == said(unknown) for answer in wrong)
    assert (unknown.status_code, unknown.json()["code"]) == (422, "identity.code_refused")
    assert (await identity.events()).count("VerificationCodeRefused") == 5


async def test_a_code_is_single_use(identity: Identity) -> None:
    person = await identity.register()
    code = {"email": person.email, "code": await identity.mailed_code()}
    assert (await identity.post(VERIFY, code)).status_code == 200
    assert (await identity.post(VERIFY, code)).status_code == 422


async def test_resending_looks_alike_and_replaces_the_code(identity: Identity) -> None:
    person = await identity.register()
    await identity.mails()
    known = await identity.post(RESEND, {"email": person.email})
    unknown = await identity.post(RESEND, {"email": "nobody@example.com"})
    assert said(known) == said(unknown)
    assert known.status_code == 202
    code = await identity.mailed_code()
    assert (await identity.post(VERIFY, {"email": person.email, "code": code})).status_code == 200


async def test_a_day_has_ten_codes(identity: Identity) -> None:
    person = await identity.register()
    for _ in range(11):
        assert (await identity.post(RESEND, {"email": person.email})).status_code == 202
    assert len(await identity.mails()) == 10


async def test_the_profile_is_read_and_changed_with_its_version(identity: Identity) -> None:
    ann = await identity.signed_in()
    read = await identity.get(ACCOUNT, ann)
    assert (read.status_code, read.json()["account_id"], read.json()["email"]) == (200, ann.account_id, ann.email)
    changed = await identity.http.patch(ACCOUNT, json={"name": "Anna"}, headers=ann.bearer | {"if-match": read.headers["etag"]})
    assert (changed.status_code, changed.json()["name"], changed.json()["version"]) == (200, "Anna", read.json()["version"] + 1)
    stale = await identity.http.patch(ACCOUNT, json={"name": "Annie"}, headers=ann.bearer | {"if-match": read.headers["etag"]})
    assert (stale.status_code, stale.json()["code"]) == (412, "resource.version_mismatch")
    blind = await identity.http.patch(ACCOUNT, json={"name": "Annie"}, headers=ann.bearer)
    assert (blind.status_code, blind.json()["code"]) == (428, "request.if_match_required")
    bad = await identity.http.patch(ACCOUNT, json={"name": ""}, headers=ann.bearer | {"if-match": changed.headers["etag"]})
    assert bad.status_code == 422


async def test_only_its_owner_sees_a_profile(identity: Identity) -> None:
    assert (await identity.get(ACCOUNT, Person("x", access_token="nonsense"))).status_code == 401
    assert (await identity.http.get(ACCOUNT)).status_code == 401
    for method in ("PATCH", "DELETE"):
        assert (await identity.http.request(method, ACCOUNT)).status_code == 401
