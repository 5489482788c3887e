"""Who may call what: every operation of the OpenAPI document has a row, and every row is tried with every wrong credential."""

import pytest
from latchkey.keyformat import Kind

from tests import tokens
from tests.metrics.shop import Shop, key_text

pytestmark = pytest.mark.stack
KEY, SECRET, PERSON, MACHINE = "either key", "the secret key", "the owner", "a machine with the scope"
MATRIX = {
    ("POST", "/v1/transactions"): KEY,
    ("PATCH", "/v1/transactions/{transaction_id}"): SECRET,
    ("GET", "/v1/apps/{app_id}/overview"): PERSON,
    ("GET", "/v1/apps/{app_id}/timeseries"): PERSON,
    ("GET", "/v1/apps/{app_id}/transactions"): PERSON,
    ("GET", "/v1/apps/{app_id}/transactions.csv"): PERSON,
    ("GET", "/v1/apps/{app_id}/refusals"): PERSON,
    ("GET", "/v1/feed"): MACHINE,
}


async def said(shop: Shop, needed: set[str], headers: dict[str, str]) -> set[tuple[int, str]]:
    """Status and code of every operation of these rows, with these headers and no body."""
    found = set()
    for (method, path), who in MATRIX.items():
        if who in needed:
            answer = await shop.http.request(method, path.format(app_id=shop.app, transaction_id="t-1"), headers=headers)
            found.add((answer.status_code, answer.json()["code"]))
    return found


def bearer(text: str) -> dict[str, str]:
    return {"authorization": f"Bearer {text}"}


async def test_every_operation_has_a_row(shop: Shop) -> None:
    document = (await shop.http.get("/openapi.json")).json()
    assert {(method.upper(), path) for path, item in document["paths"].items() for method in item} == set(MATRIX)


async def test_what_is_the_owners_is_refused_to_everybody_else(shop: Shop) -> None:
    """S44: neither key of the pair reads anything."""
    for headers, refused in (
        ({}, (401, "auth.required")),
        (bearer("nonsense"), (401, "auth.token_invalid")),
        (bearer(key_text("kp_1")), (401, "auth.token_invalid")),
        (bearer(key_text("kp_1", Kind.PUBLIC)), (401, "auth.token_invalid")),
        (tokens.person("acc_owner", exp=1), (401, "auth.token_expired")),
        (tokens.machine("feed:metrics", "keys:verify"), (403, "auth.wrong_kind_of_caller")),
        (tokens.person("acc_stranger"), (404, "metrics.app_not_found")),
    ):
        assert await said(shop, {PERSON}, headers) == {refused}, headers


async def test_what_is_a_keys_is_refused_to_everybody_else(shop: Shop) -> None:
    for headers, refused in (
        ({}, (401, "metrics.key_missing")),
        ({"authorization": "Basic !"}, (401, "metrics.key_missing")),
        (bearer("nonsense"), (401, "metrics.key_malformed")),
        (tokens.person("acc_owner"), (401, "metrics.key_malformed")),
        (tokens.machine("feed:metrics", "keys:verify"), (401, "metrics.key_malformed")),
        (bearer(key_text("kp_unknown")), (401, "metrics.key_unknown")),
    ):
        assert await said(shop, {KEY, SECRET}, headers) == {refused}, headers
    assert await said(shop, {SECRET}, bearer(key_text("kp_1", Kind.PUBLIC))) == {(403, "metrics.public_key_limited")}


async def test_the_feed_is_for_machines_with_its_scope(shop: Shop) -> None:
    for headers, refused in (
        ({}, (401, "auth.required")),
        (tokens.person("acc_owner"), (403, "auth.wrong_kind_of_caller")),
        (bearer(key_text("kp_1")), (401, "auth.token_invalid")),
        (tokens.machine("feed:keys", "keys:verify"), (403, "auth.scope_missing")),
    ):
        assert await said(shop, {MACHINE}, headers) == {refused}, headers
    read = await shop.http.get("/v1/feed", headers=tokens.machine("feed:metrics"))
    assert read.status_code == 200
    assert all(event["source"] == "/metrics" for event in read.json()["items"])
