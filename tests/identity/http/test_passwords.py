"""Passwords over HTTP: forgotten, chosen again, changed."""

import asyncio

import pytest

from tests.identity.person import PASSWORD, Identity, said

pytestmark = pytest.mark.stack
FORGOT, RESET, CHANGE, ACCOUNT = "/v1/password/forgot", "/v1/password/reset", "/v1/password/change", "/v1/account"
NEW = "another-horse-battery-staple-8"


async def test_a_forgotten_password_is_chosen_again_with_a_mailed_code(identity: Identity) -> None:
    ann = await identity.signed_in()
    assert (await identity.post(FORGOT, {"email": ann.email})).status_code == 202
    code = await identity.mailed_code()
    assert (await identity.post(RESET, {"email": ann.email, "code": code, "password": NEW})).status_code == 204
    assert (await identity.get(ACCOUNT, ann)).status_code == 401
    assert (await identity.try_to_sign_in(ann.email, PASSWORD)).status_code == 401
    assert (await identity.try_to_sign_in(ann.email, NEW)).status_code == 201
    [notice] = await identity.mails()
    assert (notice.to, notice.subject) == (ann.email, "Your Latchkey password was changed")
    again = await identity.post(RESET, {"email": ann.email, "code": code, "password": PASSWORD})
    assert (again.status_code, again.json()["code"]) == (422, "identity.code_refused")


async def test_forgetting_looks_alike_for_everybody(identity: Identity) -> None:
    ann = await identity.verified()
    known, unknown = [await identity.post(FORGOT, {"email": email}) for email in (ann.email, "nobody@example.com")]
    assert said(known) == said(unknown)
    assert len(await identity.mails()) == 1


async def test_wrong_reset_codes_look_alike_whatever_the_reason(identity: Identity) -> None:
    ann = await identity.verified()
    ben = await identity.verified()
    await identity.post(FORGOT, {"email": ann.email})
    code = await identity.mailed_code()
    other = f"{(int(code) + 1) % 1_000_000:06}"
    tries = [(ann.email, other), (ben.email, code), ("nobody@example.com", code)]
    answers = [await identity.post(RESET, {"email": email, "code": tried, "password": NEW}) for email, tried in tries]
    assert said(answers[0]) == said(answers[1]) == said(answers[2])
    for _ in range(4):
        await identity.post(RESET, {"email": ann.email, "code": other, "password": NEW})
    assert (await identity.post(RESET, {"email": ann.email, "code": code, "password": NEW})).status_code == 422
    assert (await identity.try_to_sign_in(ann.email, PASSWORD)).status_code == 201


async def test_a_name_is_no_password_for_whoever_holds_the_code_and_no_secret_for_the_rest(identity: Identity) -> None:
    ann = await identity.verified(name="Wilhelmina Featherstonehaugh")
    await identity.post(FORGOT, {"email": ann.email})
    code = await identity.mailed_code()
    body = {"email": ann.email, "password": "WilhelminaFeatherstonehaugh"}
    assert (await identity.post(RESET, body | {"code": code})).json()["code"] == "identity.password_too_weak"
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    assert (await identity.post(RESET, body | {"code": wrong})).json()["code"] == "identity.code_refused"


async def test_a_reset_opens_a_locked_account(identity: Identity) -> None:
    ann = await identity.verified()
    for _ in range(5):
        await identity.try_to_sign_in(ann.email, "not-her-password")
    await identity.post(FORGOT, {"email": ann.email})
    await identity.post(RESET, {"email": ann.email, "code": await identity.mailed_code(), "password": NEW})
    assert (await identity.try_to_sign_in(ann.email, NEW)).status_code == 201


async def test_changing_the_password_signs_out_everywhere(identity: Identity) -> None:
    ann = await identity.signed_in()
    answer = await identity.post(CHANGE, {"current_password": PASSWORD, "new_password": NEW}, by=ann)
    assert answer.status_code == 204
    assert (await identity.get(ACCOUNT, ann)).json()["code"] == "auth.session_revoked"
    assert (await identity.post("/v1/sessions/refresh", {"refresh_token": ann.refresh_token})).status_code == 401
    assert (await identity.try_to_sign_in(ann.email, NEW)).status_code == 201
    assert [mail.subject for mail in await identity.mails()] == ["Your Latchkey password was changed"]


async def test_of_two_changes_at_once_one_counts(identity: Identity) -> None:
    ann = await identity.signed_in()
    owner, thief = {"current_password": PASSWORD, "new_password": NEW}, {"current_password": PASSWORD, "new_password": f"{NEW}9"}
    answers = await asyncio.gather(*(identity.post(CHANGE, body, by=ann) for body in (owner, thief)))
    assert sorted(answer.status_code for answer in answers) == [204, 403]
    assert (await identity.events(ann.account_id)).count("PasswordChanged") == 1


async def test_guesses_at_once_are_all_wrong_and_nothing_else(identity: Identity) -> None:
    ann = await identity.signed_in()
    guess = {"current_password": "not-her-password", "new_password": NEW}
    answers = await asyncio.gather(*(identity.post(CHANGE, guess, by=ann) for _ in range(6)))
    assert {answer.status_code for answer in answers} == {403}


async def test_a_session_does_not_let_try_new_passwords_without_end(identity: Identity) -> None:
    ann = await identity.signed_in()
    weak = {"current_password": PASSWORD, "new_password": "password1234"}
    answers = [(await identity.post(CHANGE, weak, by=ann)).status_code for _ in range(61)]
    assert answers == [422] * 60 + [429]


async def test_guessing_the_current_password_locks_the_account(identity: Identity) -> None:
    ann = await identity.signed_in()
    for _ in range(5):
        wrong = await identity.post(CHANGE, {"current_password": "not-her-password", "new_password": NEW}, by=ann)
        assert (wrong.status_code, wrong.json()["code"]) == (403, "identity.password_wrong")
    locked = await identity.post(CHANGE, {"current_password": PASSWORD, "new_password": NEW}, by=ann)
    assert (locked.status_code, locked.json()["code"]) == (403, "identity.password_wrong")
    assert (await identity.events(ann.account_id))[-1] == "AccountLocked"
    # Were a weak new password refused as such now, the lock would be no hindrance to guessing the present one.
    for current in (PASSWORD, "not-her-password"):
        told = await identity.post(CHANGE, {"current_password": current, "new_password": "password1234"}, by=ann)
        assert (told.status_code, told.json()["code"]) == (403, "identity.password_wrong")


async def test_a_poor_new_password_is_refused_at_its_field(identity: Identity) -> None:
    ann = await identity.signed_in()
    for poor in ("short", "password1234", ann.email):
        answer = await identity.post(CHANGE, {"current_password": PASSWORD, "new_password": poor}, by=ann)
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/new_password")
    assert (await identity.get(ACCOUNT, ann)).status_code == 200


async def test_changing_needs_a_session(identity: Identity) -> None:
    assert (await identity.post(CHANGE, {"current_password": PASSWORD, "new_password": NEW})).status_code == 401
