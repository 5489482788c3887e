"""Who may call what: every operation of the OpenAPI document has a row, and every row is tried with every wrong credential."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.identity.commands.tokens import Signer
from tests.identity.person import Identity, Person

pytestmark = pytest.mark.stack
ANYONE, PERSON, CLIENT, MACHINE = "anyone", "a person", "a service client", "a machine with the scope"
MATRIX = {
    ("POST", "/v1/accounts"): ANYONE,
    ("POST", "/v1/accounts/verify"): ANYONE,
    ("POST", "/v1/accounts/resend"): ANYONE,
    ("GET", "/v1/account"): PERSON,
    ("PATCH", "/v1/account"): PERSON,
    ("DELETE", "/v1/account"): PERSON,
    ("POST", "/v1/sessions"): ANYONE,
    ("POST", "/v1/sessions/refresh"): ANYONE,
    ("GET", "/v1/sessions"): PERSON,
    ("DELETE", "/v1/sessions"): PERSON,
    ("DELETE", "/v1/sessions/{session_id}"): PERSON,
    ("POST", "/v1/password/forgot"): ANYONE,
    ("POST", "/v1/password/reset"): ANYONE,
    ("POST", "/v1/password/change"): PERSON,
    ("POST", "/v1/service-tokens"): CLIENT,
    ("GET", "/v1/feed"): MACHINE,
    ("GET", "/.well-known/jwks.json"): ANYONE,
}


async def codes(identity: Identity, who: str, headers: dict[str, str]) -> dict[tuple[str, str], tuple[int, str]]:
    """Status and code of every operation of this row of callers, with these headers and no body."""
    found: dict[tuple[str, str], tuple[int, str]] = {}
    for (method, path), needed in MATRIX.items():
        if needed == who:
            answer = await identity.http.request(method, path.format(session_id="ses_" + "0" * 22), headers=headers)
            found[method, path] = answer.status_code, answer.json().get("code", "")
    return found


def operations(document: dict[str, Any]) -> set[tuple[str, str]]:
    return {(method.upper(), path) for path, item in document["paths"].items() for method in item}


async def test_every_operation_has_a_row(identity: Identity) -> None:
    assert operations((await identity.http.get("/openapi.json")).json()) == set(MATRIX)


async def test_what_is_a_persons_is_refused_to_everybody_else(identity: Identity) -> None:
    ann, signer, now = await identity.signed_in(), Signer(identity.settings.master_key), datetime.now(UTC)
    revoked = await identity.sign_in(ann)
    await identity.delete(f"/v1/sessions/{revoked.session_id}", revoked)
    callers = {
        "nobody": ({}, (401, "auth.required")),
        "expired": (
            Person("", access_token=signer.access_token(ann.account_id, ann.session_id, 1, now - timedelta(minutes=6))).bearer,
            (401, "auth.token_expired"),
        ),
        "revoked": (revoked.bearer, (401, "auth.session_revoked")),
        "older generation": (
            Person("", access_token=signer.access_token(ann.account_id, ann.session_id, 0, now)).bearer,
            (401, "auth.session_revoked"),
        ),
        "another's session": (
            Person("", access_token=signer.access_token("acc_" + "0" * 22, ann.session_id, 1, now)).bearer,
            (401, "auth.session_revoked"),
        ),
        "a machine": (
            Person("", access_token=signer.service_token("svc_1", ("keys:verify",), now)).bearer,
            (403, "auth.wrong_kind_of_caller"),
        ),
        "basic": ({"authorization": "Basic eDp5"}, (401, "auth.required")),
    }
    for name, (headers, refused) in callers.items():
        for operation, said in (await codes(identity, PERSON, headers)).items():
            assert said == refused, (name, operation)
    assert (await identity.get("/v1/account", ann)).status_code == 200


async def test_what_is_a_machines_is_refused_to_a_person(identity: Identity) -> None:
    ann = await identity.signed_in()
    for headers in ({}, ann.bearer):
        assert set((await codes(identity, CLIENT, headers)).values()) == {(401, "identity.client_refused")}


async def test_the_feed_is_for_machines_with_its_scope(identity: Identity) -> None:
    signer, ann = Signer(identity.settings.master_key), await identity.signed_in()

    def machine(*scopes: str) -> dict[str, str]:
        return Person("", access_token=signer.service_token("svc_1", scopes, datetime.now(UTC))).bearer

    for headers, refused in (
        ({}, (401, "auth.required")),
        (ann.bearer, (403, "auth.wrong_kind_of_caller")),
        (machine("feed:registry", "keys:verify"), (403, "auth.scope_missing")),
    ):
        assert set((await codes(identity, MACHINE, headers)).values()) == {refused}
    read = await identity.http.get("/v1/feed", params={"stream": ann.account_id}, headers=machine("feed:identity"))
    assert [event["type"] for event in read.json()["items"]] == ["identity.AccountRegistered.v1", "identity.AccountVerified.v1"]
    assert ann.email not in read.text


async def test_what_is_anyones_asks_for_no_credential(identity: Identity) -> None:
    for operation, (status, _) in (await codes(identity, ANYONE, {"authorization": "Bearer nonsense"})).items():
        assert status in {200, 400, 415, 422}, operation
