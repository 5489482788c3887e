"""One test for each status that the kit answers by itself, and what every problem document has."""

import asyncio
from collections.abc import Callable

import asyncpg
import httpx2 as httpx
import pytest

from shared.errors import OutcomeUnknown, StreamMoved
from shared.http import routing
from tests.shared.http.conftest import Built, Lines
from tests.shared.http.toy_api import Things
from tests.tokens import machine, person

pytestmark = pytest.mark.slow  # whole requests through the app

JSON = {"content-type": "application/json"}


def code(answer: httpx.Response) -> str:
    """Check the document whole, and give its code."""
    problem = answer.json()
    assert set(problem) == {"type", "title", "status", "code", "detail", "request_id", "errors"}
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["status"] == answer.status_code
    assert problem["type"] == f"urn:latchkey:problem:{problem['code']}"
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert answer.headers["cache-control"] == "no-store"
    found: str = problem["code"]
    return found


async def test_201_says_version_and_position(api: httpx.AsyncClient) -> None:
    answer = await api.post("/v1/things", json={"name": "ab"}, headers=person())
    assert (answer.status_code, answer.headers["etag"], answer.headers["event-position"]) == (201, '"3"', "toy/thing_1/2")


@pytest.mark.parametrize("body", [b"{", b"\xff\xfe", b'{"name":"\x00"}', b'{"name":"\\u0000', b"[" * 990])
async def test_400_for_a_body_that_is_no_json(api: httpx.AsyncClient, body: bytes) -> None:
    answer = await api.post("/v1/things", content=body, headers=person() | JSON)
    assert (answer.status_code, code(answer)) == (400, "request.malformed")


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b'"text"'])
async def test_422_for_a_body_that_is_no_object(api: httpx.AsyncClient, body: bytes) -> None:
    answer = await api.post("/v1/things", content=body, headers=person() | JSON)
    assert (answer.status_code, code(answer), answer.json()["errors"][0]["pointer"]) == (422, "request.invalid", "")


async def test_401_names_the_scheme_and_wins_over_every_fault_of_the_body(api: httpx.AsyncClient) -> None:
    answer = await api.post("/v1/things", content=b"{", headers={"content-type": "text/plain"})
    assert (answer.status_code, code(answer)) == (401, "auth.required")
    assert answer.headers["www-authenticate"] == 'Bearer realm="latchkey"'


@pytest.mark.parametrize(
    ("path", "caller", "expected"),
    [
        ("/v1/feed", person, "auth.wrong_kind_of_caller"),
        ("/v1/feed", lambda: machine("feed:keys"), "auth.scope_missing"),
        ("/v1/things/x", lambda: machine("feed:toy"), "auth.wrong_kind_of_caller"),
    ],
)
async def test_403(api: httpx.AsyncClient, path: str, caller: Callable[[], dict[str, str]], expected: str) -> None:
    answer = await api.get(path, headers=caller())
    assert (answer.status_code, code(answer)) == (403, expected)


@pytest.mark.parametrize(
    ("path", "expected"),
    [("/v1/things/missing", "resource.not_found"), ("/nowhere", "request.route_unknown"), ("/v1/things/a%00b", "resource.not_found")],
)
async def test_404(api: httpx.AsyncClient, path: str, expected: str) -> None:
    answer = await api.get(path, headers=person())
    assert (answer.status_code, code(answer)) == (404, expected)


async def test_405_says_what_is_allowed(api: httpx.AsyncClient) -> None:
    answer = await api.delete("/v1/things/x")
    assert (answer.status_code, code(answer), answer.headers["allow"]) == (405, "request.method_not_allowed", "GET, PATCH")


async def test_408_for_a_body_that_does_not_come(built: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routing, "_BODY_SECONDS", 0.01)
    sent: list[dict[str, object]] = []

    async def never() -> dict[str, object]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    headers = [(name.encode(), value.encode()) for name, value in (person() | JSON).items()]
    scope = {"type": "http", "method": "POST", "path": "/v1/things", "query_string": b"", "headers": headers, "client": None}
    await built.app(scope, never, send)  # type: ignore[arg-type] # the messages of this test are plainer than ASGI's own types
    assert sent[0]["status"] == 408
    assert b'"request.too_slow"' in sent[1]["body"]  # type: ignore[operator] # see above


async def test_409_carries_its_own_detail(api: httpx.AsyncClient) -> None:
    answer = await api.get("/v1/things/taken", headers=person())
    assert (answer.status_code, code(answer), answer.json()["detail"]) == (409, "resource.conflict", "Another one has it.")


async def test_409_when_others_were_always_faster(api: httpx.AsyncClient, things: Things) -> None:
    things.raises = StreamMoved()
    assert code(await api.post("/v1/things", json={"name": "ab"}, headers=person())) == "resource.contended"


async def test_410(api: httpx.AsyncClient) -> None:
    answer = await api.get("/v1/things/gone", headers=person())
    assert (answer.status_code, code(answer)) == (410, "resource.gone")


async def test_413_by_the_declared_length(api: httpx.AsyncClient) -> None:
    answer = await api.post("/v1/things", content=b" " * 1_001, headers=person() | JSON)
    assert (answer.status_code, code(answer), answer.headers["connection"]) == (413, "request.too_large", "close")


@pytest.mark.parametrize("media", [{"content-type": "text/plain"}, {"content-type": "application/jsonp"}, {}])
async def test_415(api: httpx.AsyncClient, media: dict[str, str]) -> None:
    answer = await api.post("/v1/things", content=b'{"name":"ab"}', headers=person() | media)
    assert (answer.status_code, code(answer)) == (415, "request.unsupported_media")


async def test_422_names_all_wrong_fields_at_once(api: httpx.AsyncClient) -> None:
    answer = await api.post("/v1/things", json={"name": "a", "size": 0, "tags": ["ok", "too long"], "a/b~c": 1}, headers=person())
    assert (answer.status_code, code(answer)) == (422, "request.invalid")
    assert {(error["pointer"], error["code"]) for error in answer.json()["errors"]} == {
        ("/name", "string_too_short"),
        ("/size", "greater_than_equal"),
        ("/tags/1", "string_too_long"),
        ("/a~1b~0c", "extra_forbidden"),
    }


async def test_422_never_repeats_what_was_sent(api: httpx.AsyncClient) -> None:
    answer = await api.post("/v1/accounts", json={"email": ["hunter2"], "password": "hunter2"})
    assert answer.status_code == 422
    assert "hunter2" not in answer.text


@pytest.mark.parametrize(
    ("body", "pointer"),
    [(b'{"name":"a\\u0000b"}', "/name"), (b'{"name":"ab","tags":["\\ud800"]}', "/tags/0"), (b'{"na\\u0000me":"ab"}', "/na\ufffdme")],
)
async def test_422_for_text_that_no_database_stores(api: httpx.AsyncClient, body: bytes, pointer: str) -> None:
    answer = await api.post("/v1/things", content=body, headers=person() | JSON)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, pointer)
    assert answer.json()["errors"][0]["code"] == "string_unstorable"


@pytest.mark.parametrize("body", [b'{"name":"a\\\\u0000b"}', b'{"name":"\\ud83d\\ude00 fine"}'])
async def test_an_escaped_backslash_and_a_whole_surrogate_pair_are_fine(api: httpx.AsyncClient, body: bytes) -> None:
    assert (await api.post("/v1/things", content=body, headers=person() | JSON)).status_code == 201


@pytest.mark.parametrize(("query", "name"), [("sise=1", "sise"), ("limit=0", "limit"), ("limit=x", "limit"), ("cursor=%00", "cursor")])
async def test_422_for_a_parameter_that_is_unknown_or_wrong(api: httpx.AsyncClient, query: str, name: str) -> None:
    answer = await api.get(f"/v1/numbers?{query}", headers=person())
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, name)


async def test_429_says_when_to_come_back(api: httpx.AsyncClient) -> None:
    answer = await api.get("/v1/things/busy", headers=person())
    assert (answer.status_code, code(answer), answer.headers["retry-after"]) == (429, "request.too_many", "7")


async def test_500_shows_nothing_of_our_insides(api: httpx.AsyncClient, lines: Lines) -> None:
    answer = await api.get("/v1/things/broken", headers=person())
    assert (answer.status_code, code(answer)) == (500, "internal")
    assert "hunter2" not in answer.text
    failure = next(line for line in lines() if line["event"] == "request failed")
    assert "RuntimeError" in failure["error"]
    assert failure["request_id"] == answer.headers["x-request-id"]


AWAY = [
    ConnectionRefusedError(), FileNotFoundError("its socket"), TimeoutError(), asyncpg.InterfaceError("pool is closed"),
    asyncpg.ConnectionDoesNotExistError("closed in the middle"), asyncpg.CrashShutdownError("another process crashed"),
    asyncpg.AdminShutdownError("terminating"), asyncpg.CannotConnectNowError("starting up"), asyncpg.DiskFullError("no space"),
    asyncpg.InternalClientError("cannot switch to state 11"),
]  # fmt: skip


@pytest.mark.parametrize("lost", AWAY)
async def test_503_when_a_store_is_away_while_reading(api: httpx.AsyncClient, things: Things, lost: Exception) -> None:
    things.raises = lost
    answer = await api.get("/v1/things/x", headers=person())
    assert (answer.status_code, code(answer), answer.headers["retry-after"]) == (503, "service.unavailable", "1")


@pytest.mark.parametrize("lost", [OutcomeUnknown(), ConnectionResetError()])
async def test_503_says_unknown_when_it_may_have_been_done(api: httpx.AsyncClient, things: Things, lost: Exception) -> None:
    things.raises = lost
    answer = await api.post("/v1/things", json={"name": "ab"}, headers=person())
    assert (answer.status_code, code(answer), answer.headers["retry-after"]) == (503, "service.outcome_unknown", "1")
