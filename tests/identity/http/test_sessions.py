"""Sessions over HTTP: sign in, locks, refresh, sign out."""

import asyncio
import json
import re
from datetime import datetime

import jwt
import pytest

from tests.identity.person import PASSWORD, Identity, Person, said

pytestmark = pytest.mark.stack
SESSIONS, REFRESH, ACCOUNT = "/v1/sessions", "/v1/sessions/refresh", "/v1/account"


async def refresh(identity: Identity, token: str) -> tuple[int, dict[str, str]]:
    answer = await identity.post(REFRESH, {"refresh_token": token})
    return answer.status_code, answer.json()


async def test_signing_in_gives_two_tokens_and_a_session(identity: Identity) -> None:
    ann = await identity.verified()
    answer = await identity.try_to_sign_in(ann.email, PASSWORD)
    body = answer.json()
    assert answer.status_code == 201
    assert body.keys() == {"access_token", "token_type", "expires_in", "refresh_token", "session_id", "account_id"}
    assert (body["token_type"], body["expires_in"], body["account_id"]) == ("Bearer", 300, ann.account_id)
    assert answer.headers["cache-control"] == "no-store"
    said_by_token = jwt.decode(body["access_token"], options={"verify_signature": False})
    assert (said_by_token["sid"], said_by_token["gen"], said_by_token["sub"]) == (body["session_id"], 1, ann.account_id)
    assert await identity.events(body["session_id"]) == ["SessionStarted"]


async def test_s04_unknown_wrong_and_locked_cannot_be_told_apart(identity: Identity) -> None:
    ann = await identity.verified()
    unknown = await identity.try_to_sign_in("nobody@example.com", PASSWORD)
    wrong = [await identity.try_to_sign_in(ann.email, "not-her-password") for _ in range(5)]
    locked = await identity.try_to_sign_in(ann.email, PASSWORD)
    assert (unknown.status_code, unknown.json()["code"]) == (401, "identity.sign_in_refused")
    assert all(said(answer) == said(unknown) for answer in [*wrong, locked])
    assert (await identity.events(ann.account_id))[-6:] == [*["SignInFailed"] * 5, "AccountLocked"]
    for _ in range(3):
        await identity.try_to_sign_in(ann.email, "not-her-password")
    assert (await identity.events(ann.account_id))[-1] == "AccountLocked"


async def test_a_guessing_crowd_cannot_tell_an_account_from_none(identity: Identity) -> None:
    ann = await identity.verified()
    tries = [identity.try_to_sign_in(email, "not-her-password") for email in (ann.email, "nobody@example.com") for _ in range(8)]
    answers = await asyncio.gather(*tries)
    assert len({json.dumps(said(answer)[1]) for answer in answers}) == 1
    assert (await identity.try_to_sign_in(ann.email, PASSWORD)).status_code == 401


async def test_an_unverified_account_learns_so_only_with_its_password(identity: Identity) -> None:
    ann = await identity.register()
    right = await identity.try_to_sign_in(ann.email, PASSWORD)
    wrong = await identity.try_to_sign_in(ann.email, "not-her-password")
    unknown = await identity.try_to_sign_in("nobody@example.com", "not-her-password")
    assert (right.status_code, right.json()["code"]) == (403, "identity.account_unverified")
    assert said(wrong) == said(unknown)


async def test_signing_in_forgets_failures_in_one_transaction(identity: Identity) -> None:
    ann = await identity.verified()
    await identity.try_to_sign_in(ann.email, "not-her-password")
    signed_in = await identity.sign_in(ann)
    rows = await identity.db.fetch("SELECT type, xmin::text AS tx FROM es.events ORDER BY position DESC LIMIT 2")
    assert {row["type"] for row in rows} == {"identity.SessionStarted", "identity.SignInFailuresCleared"}
    assert len({row["tx"] for row in rows}) == 1
    assert await identity.events(signed_in.session_id) == ["SessionStarted"]


async def test_too_many_attempts_are_told_to_wait(identity: Identity) -> None:
    answers = [await identity.try_to_sign_in("nobody@example.com", "x") for _ in range(31)]
    assert {answer.status_code for answer in answers[:30]} == {401}
    assert (answers[30].status_code, answers[30].json()["code"]) == (429, "identity.too_many_attempts")
    assert 0 < int(answers[30].headers["retry-after"]) <= 300


async def test_a_form_with_other_fields_is_refused(identity: Identity) -> None:
    answer = await identity.post(SESSIONS, {"email": "ann@example.com", "password": PASSWORD, "totp": "123456"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/totp")


async def test_a_refresh_token_is_traded_for_the_next(identity: Identity) -> None:
    ann = await identity.signed_in()
    status, second = await refresh(identity, ann.refresh_token)
    assert (status, second["session_id"], second["account_id"]) == (200, ann.session_id, ann.account_id)
    assert second["refresh_token"] != ann.refresh_token
    status, third = await refresh(identity, second["refresh_token"])
    assert status == 200
    fresh = Person(ann.email, access_token=third["access_token"])
    assert (await identity.get(ACCOUNT, fresh)).status_code == 200


async def test_two_tabs_that_refresh_at_once_get_one_successor(identity: Identity) -> None:
    ann = await identity.signed_in()
    answers = await asyncio.gather(*(refresh(identity, ann.refresh_token) for _ in range(4)))
    assert {status for status, _ in answers} == {200}
    assert len({body["refresh_token"] for _, body in answers}) == 1
    assert await identity.events(ann.session_id) == ["SessionStarted", "SessionRefreshed"]


async def test_a_token_that_comes_back_ends_the_family(identity: Identity) -> None:
    ann = await identity.signed_in()
    _, second = await refresh(identity, ann.refresh_token)
    _, third = await refresh(identity, second["refresh_token"])
    status, refused = await refresh(identity, ann.refresh_token)
    assert (status, refused["code"]) == (401, "identity.refresh_refused")
    assert (await refresh(identity, third["refresh_token"]))[0] == 401
    assert (await identity.get(ACCOUNT, Person("", access_token=third["access_token"]))).status_code == 401
    assert (await identity.events(ann.session_id))[-2:] == ["RefreshReused", "SessionEnded"]
    told = await identity.db.fetchval("SELECT public FROM es.events WHERE type = 'identity.SessionsRevoked'")
    assert json.loads(told)["data"] == {"account_id": ann.account_id, "generation": None, "session_id": ann.session_id}


@pytest.mark.parametrize("spoil", ["", "x", "ses_0000000000000000000000.a.b"])
async def test_a_token_that_we_did_not_make_does_no_harm(identity: Identity, spoil: str) -> None:
    ann = await identity.signed_in()
    forged = re.sub(r"\.[^.]+$", f".{spoil}", ann.refresh_token) if len(spoil) < 2 else spoil
    status, refused = await refresh(identity, forged)
    assert (status, refused["code"]) == (401, "identity.refresh_refused")
    assert (await refresh(identity, ann.refresh_token))[0] == 200


async def test_my_sessions_show_where_i_am_signed_in(identity: Identity) -> None:
    ann = await identity.verified()
    first, second = await identity.sign_in(ann), await identity.sign_in(ann)
    other = await identity.signed_in()
    listed = (await identity.get(SESSIONS, second)).json()
    assert [(item["session_id"], item["current"]) for item in listed["items"]] == [(second.session_id, True), (first.session_id, False)]
    assert (listed["items"][0]["ip"], listed["items"][0]["device"]) == ("127.0.0.1", "Firefox/140")
    assert datetime.fromisoformat(listed["items"][0]["expires_at"]) > datetime.fromisoformat(listed["items"][0]["used_at"])
    assert listed["next_cursor"] is None
    page = (await identity.get(f"{SESSIONS}?limit=1", second)).json()
    rest = (await identity.get(f"{SESSIONS}?limit=1&cursor={page['next_cursor']}", second)).json()
    assert [item["session_id"] for item in page["items"] + rest["items"]] == [second.session_id, first.session_id]
    stolen = await identity.get(f"{SESSIONS}?cursor={page['next_cursor']}", other)
    assert (stolen.status_code, stolen.json()["code"]) == (422, "request.bad_cursor")


async def test_signing_out_one_session_counts_at_once(identity: Identity) -> None:
    ann = await identity.verified()
    here, there = await identity.sign_in(ann), await identity.sign_in(ann)
    assert (await identity.delete(f"{SESSIONS}/{there.session_id}", here)).status_code == 204
    assert (await identity.get(ACCOUNT, there)).json()["code"] == "auth.session_revoked"
    assert (await refresh(identity, there.refresh_token))[0] == 401
    assert (await identity.get(ACCOUNT, here)).status_code == 200
    assert (await identity.delete(f"{SESSIONS}/{there.session_id}", here)).status_code == 204
    assert (await identity.events()).count("SessionsRevoked") == 1
    assert [item["session_id"] for item in (await identity.get(SESSIONS, here)).json()["items"]] == [here.session_id]


async def test_the_session_of_somebody_else_cannot_be_told_from_a_missing_one(identity: Identity) -> None:
    ann, ben = await identity.signed_in(), await identity.signed_in()
    theirs = await identity.delete(f"{SESSIONS}/{ben.session_id}", ann)
    missing = await identity.delete(f"{SESSIONS}/ses_{'0' * 22}", ann)
    assert said(theirs) == said(missing)
    assert (theirs.status_code, theirs.json()["code"]) == (404, "identity.session_not_found")
    for stream in (ann.account_id, "nonsense"):
        assert (await identity.delete(f"{SESSIONS}/{stream}", ann)).status_code == 404
    assert (await identity.get(ACCOUNT, ben)).status_code == 200


async def test_signing_out_everywhere_counts_at_once(identity: Identity) -> None:
    ann = await identity.verified()
    here, there = await identity.sign_in(ann), await identity.sign_in(ann)
    answer = await identity.delete(SESSIONS, here)
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["event-position"] == f"identity/{ann.account_id}/3"
    for session in (here, there):
        assert (await identity.get(ACCOUNT, session)).status_code == 401
        assert (await refresh(identity, session.refresh_token))[0] == 401
    told = await identity.db.fetchval("SELECT public FROM es.events WHERE type = 'identity.SessionsRevoked'")
    assert json.loads(told)["data"]["generation"] == 2
    again = await identity.sign_in(ann)
    assert (await identity.get(ACCOUNT, again)).status_code == 200


async def test_without_a_token_nobody_sees_sessions(identity: Identity) -> None:
    for method, path in (("GET", SESSIONS), ("DELETE", SESSIONS), ("DELETE", f"{SESSIONS}/ses_1")):
        assert (await identity.http.request(method, path)).status_code == 401
