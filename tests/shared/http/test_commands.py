"""What a command learns from its request: Idempotency-Key, If-Match, who, and which trace."""

from datetime import UTC, datetime, timedelta

import httpx2 as httpx
import pytest

from tests.shared.http.toy_api import Things
from tests.tokens import person

pytestmark = pytest.mark.slow  # whole requests through the app

BODY = {"name": "ab", "size": 2}


async def key_of(api: httpx.AsyncClient, things: Things, path: str = "/v1/things", **request: object) -> tuple[str, bytes]:
    """Send a POST with the key `k`, and give the scope and the HMAC that the command saw."""
    headers = {"idempotency-key": "k"} | (request.pop("headers", None) or person())  # type: ignore[operator] # always a dict of headers here
    answer = await api.post(path, headers=headers, **({"json": BODY} | request))  # type: ignore[arg-type] # any of httpx's options
    assert answer.is_success, answer.text
    idempotency = things.contexts[-1].idempotency
    assert idempotency is not None
    assert idempotency.key == "k"
    return idempotency.scope, idempotency.body_hmac


async def test_a_repeat_is_the_same_also_when_encoded_anew(api: httpx.AsyncClient, things: Things) -> None:
    first = await key_of(api, things)
    headers = person() | {"content-type": "application/json; charset=utf-8"}
    assert first == await key_of(api, things, json=None, content=b'{ "size": 2,\n"name": "ab" }', headers=headers)


@pytest.mark.parametrize("other", [{"name": "ac", "size": 2}, {"name": "ab"}])
async def test_another_body_is_another_command(api: httpx.AsyncClient, things: Things, other: dict[str, object]) -> None:
    scope, hmac = await key_of(api, things)
    changed = await key_of(api, things, json=other)
    assert changed[0] == scope
    assert changed[1] != hmac


async def test_another_caller_never_meets_my_key(api: httpx.AsyncClient, things: Things) -> None:
    assert (await key_of(api, things))[0] != (await key_of(api, things, headers=person("acc_2")))[0]


async def test_anonymous_callers_are_told_apart_by_an_hmac_of_their_address(api: httpx.AsyncClient, things: Things) -> None:
    scopes = [
        (await key_of(api, things, "/v1/accounts", json={"email": email}))[0] for email in ("a@b.example", "A@b.example", "c@d.example")
    ]
    assert scopes[0] == scopes[1] != scopes[2]
    assert "b.example" not in "".join(scopes)


@pytest.mark.parametrize("key", ["", " ", "a b", "ü", "k" * 256, "a\tb"])
async def test_a_bad_key_is_400(api: httpx.AsyncClient, key: str) -> None:
    headers = [(b"authorization", person()["authorization"].encode()), (b"idempotency-key", key.encode("latin-1"))]
    answer = await api.post("/v1/things", json=BODY, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (400, "idempotency.bad_key")


@pytest.mark.parametrize("key", ["k", "k" * 255, '"8e03978e-40d5-43dd-bc93-6894a57f9324"'])
async def test_a_good_key_is_kept_as_it_is(api: httpx.AsyncClient, things: Things, key: str) -> None:
    assert (await api.post("/v1/things", json=BODY, headers=person() | {"idempotency-key": key})).status_code == 201
    assert things.contexts[0].idempotency
    assert things.contexts[0].idempotency.key == key


async def test_sign_in_and_commands_that_make_nothing_take_no_key(api: httpx.AsyncClient, things: Things) -> None:
    headers = person() | {"idempotency-key": "k"}
    assert (await api.post("/v1/sessions", json={"email": "a@b.example"}, headers=headers)).status_code == 201
    assert (await api.post("/v1/things/x/disable", headers=headers)).status_code == 200
    assert [context.idempotency for context in things.contexts] == [None, None]


@pytest.mark.parametrize(
    ("sent", "status", "expected"),
    [
        (None, 428, "request.if_match_required"),
        ("*", 428, "request.if_match_required"),
        ("3", 400, "request.bad_if_match"),
        ('"3", "4"', 400, "request.bad_if_match"),
        ("", 400, "request.bad_if_match"),
        ('W/"3"', 412, "resource.version_mismatch"),
        ('"abc"', 412, "resource.version_mismatch"),
        ('"99999999999"', 412, "resource.version_mismatch"),
        ('"03"', 412, "resource.version_mismatch"),
    ],
)
async def test_a_change_needs_the_version_it_was_made_from(api: httpx.AsyncClient, sent: str | None, status: int, expected: str) -> None:
    headers = person() | ({} if sent is None else {"if-match": sent})
    answer = await api.patch("/v1/things/x", json=BODY, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, expected)


@pytest.mark.parametrize(
    ("sent", "expected"), [({}, None), ({"if-match": "*"}, None), ({"if-match": ' "0" '}, 0), ({"if-match": '"7"'}, 7)]
)
async def test_elsewhere_the_version_is_honoured(
    api: httpx.AsyncClient, things: Things, sent: dict[str, str], expected: int | None
) -> None:
    assert (await api.post("/v1/things/x/disable", headers=person() | sent)).status_code == 200
    assert things.contexts[0].expected == expected


async def test_a_missing_version_is_said_before_wrong_fields(api: httpx.AsyncClient) -> None:
    assert (await api.patch("/v1/things/x", json={}, headers=person())).status_code == 428


async def test_the_context_says_who_when_and_which_trace(api: httpx.AsyncClient, things: Things) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    await api.post("/v1/things", json=BODY, headers=person() | {"traceparent": trace, "x-request-id": "my-request-1"})
    context = things.contexts[0]
    assert (context.actor, context.tenant, context.correlation_id, context.traceparent) == ("acc_1", "acc_1", "my-request-1", trace)
    assert datetime.now(UTC) - context.now < timedelta(seconds=5)


async def test_a_caller_without_account_needs_a_tenant_from_the_route(api: httpx.AsyncClient, things: Things) -> None:
    await api.post("/v1/accounts", json={"email": "a@b.example"})
    assert (things.contexts[0].actor, things.contexts[0].tenant) == ("anonymous", "acc_9")


async def test_what_a_caller_calls_itself_is_kept_printable(api: httpx.AsyncClient, things: Things) -> None:
    headers = [(b"authorization", person()["authorization"].encode()), (b"user-agent", b"a\x85b" + b"c" * 300)]
    await api.get("/v1/things/x", headers=headers)
    caller = things.callers[0]
    assert (caller.user_agent, caller.ip, caller.kind) == ("ab" + "c" * 253, "127.0.0.1", "person")
