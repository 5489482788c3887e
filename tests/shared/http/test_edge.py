"""What every request gets, whatever happens inside: an id, a trace, safe headers, one line in the log, one count."""

import json
import logging
import re
import sys
from typing import Any

import httpx2 as httpx
import pytest
import structlog
from prometheus_client.exposition import generate_latest

from shared import telemetry
from shared.http.caller import Person
from shared.http.health import Check
from shared.http.routing import Router
from shared.telemetry import HIDDEN, configure_logs, redact
from tests.shared.http.conftest import Built, Lines
from tests.shared.http.toy_api import Things, toy
from tests.tokens import person

pytestmark = pytest.mark.slow  # whole requests through the app

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
FRESH = re.compile(r"req_[0-9a-f]{24}")


@pytest.mark.parametrize("path", ["/v1/numbers", "/nowhere", "/v1/things/broken"])
async def test_every_answer_carries_safe_headers_and_an_id(api: httpx.AsyncClient, path: str) -> None:
    headers = (await api.get(path, headers=person())).headers
    assert (headers["x-content-type-options"], headers["x-frame-options"], headers["referrer-policy"]) == ("nosniff", "DENY", "no-referrer")
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert FRESH.fullmatch(headers["x-request-id"])


@pytest.mark.parametrize("sent", ["order-4711/a", "0193-abcd", "A" * 128])
async def test_a_sane_request_id_is_kept(api: httpx.AsyncClient, sent: str) -> None:
    assert (await api.get("/nowhere", headers={"x-request-id": sent})).headers["x-request-id"] == sent


@pytest.mark.parametrize("sent", ["", "short", "a" * 129, 'with "quotes"', "with space", "lk_sk_live_abcdefgh", "{forged:1}"])
async def test_any_other_request_id_is_replaced(api: httpx.AsyncClient, sent: str) -> None:
    assert FRESH.fullmatch((await api.get("/nowhere", headers={"x-request-id": sent})).headers["x-request-id"])


@pytest.mark.parametrize("sent", ["", "00-" + "0" * 32 + "-00f067aa0ba902b7-01", TRACE.upper(), "ff" + TRACE[2:], TRACE + "-x", TRACE[:-1]])
async def test_a_malformed_trace_is_replaced_by_a_new_one(api: httpx.AsyncClient, things: Things, sent: str) -> None:
    await api.post("/v1/things", json={"name": "ab"}, headers=person() | {"traceparent": sent})
    carried = things.contexts[0].traceparent
    assert carried
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-00", carried)
    assert carried != sent


async def test_one_line_is_logged_with_the_template_and_not_the_path(api: httpx.AsyncClient, lines: Lines) -> None:
    await api.get("/v1/things/x?position=hunter2", headers=person() | {"x-request-id": "my-request-1", "traceparent": TRACE})
    line = lines()[-1]
    assert (line["event"], line["route"], line["status"], line["actor"]) == ("request", "/v1/things/{thing_id}", 422, "acc_1")
    assert line["code"] == "request.invalid"
    assert (line["request_id"], line["trace"]) == ("my-request-1", TRACE[3:35])
    assert "hunter2" not in json.dumps(line)


async def test_requests_are_counted_by_template_so_that_their_number_is_bounded(api: httpx.AsyncClient, built: Built) -> None:
    for number in range(3):
        await api.get(f"/v1/things/{number}", headers=person())
        await api.get(f"/nowhere/{number}")
    figures = generate_latest(built.app.health._registry).decode()
    assert re.search(r'http_request_seconds_count{method="GET",route="/v1/things/{thing_id}",status="200"} [3-9]', figures)
    assert 'route="unknown",status="404"' in figures
    assert "nowhere" not in figures


async def test_a_client_that_goes_away_is_no_error(built: Built, lines: Lines) -> None:
    async def gone() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        raise AssertionError(message)

    headers = [(name.encode(), value.encode()) for name, value in (person() | {"content-type": "application/json"}).items()]
    scope = {"type": "http", "method": "POST", "path": "/v1/things", "query_string": b"", "headers": headers, "client": None}
    await built.app(scope, gone, send)
    assert [line["status"] for line in lines()] == [499]


async def test_a_hot_path_is_answered_before_anything_else(lines: Lines) -> None:
    class Hot:
        async def __call__(self, _scope: Any, _receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body"})

        def at_once(self, scope: Any, body: bytes) -> None:
            """Leave everything to the call."""

    app = toy(Things())
    app.hot = {"/v1/hot": Hot()}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://toy") as client:
        assert (await client.post("/v1/hot")).status_code == 204
    assert lines() == []


def test_a_route_without_a_caller_cannot_be_made() -> None:
    router = Router()

    async def open_door() -> None: ...
    async def two_doors(one: Person, two: Person) -> None: ...

    for endpoint in (open_door, two_doors):
        with pytest.raises(TypeError, match="must declare one caller"):
            router.get("/door")(endpoint)


async def fine() -> str | None:
    return None


async def bad() -> str | None:
    return "the projection is 90 s behind"


async def broken() -> str | None:
    raise ConnectionError("postgres://app:hunter2@db")


async def test_ready_means_able_to_serve() -> None:
    app = toy(Things(), ready=(Check("postgres", fine), Check("kafka", fine)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app.health), base_url="http://toy") as client:
        assert (await client.get("/livez")).status_code == 200
        assert (await client.get("/readyz")).json() == {"ready": True, "reasons": {}}
        app.health.draining = True
        answer = await client.get("/readyz")
        assert (answer.status_code, answer.json()["reasons"]) == (503, {"process": "is draining"})
        assert (await client.get("/livez")).status_code == 200
        assert b"http_request_seconds" in (await client.get("/metrics")).content
        assert (await client.get("/v1/numbers")).status_code == 404


async def test_ready_names_what_is_not_well_without_its_insides() -> None:
    app = toy(Things(), ready=(Check("postgres", broken), Check("view", bad), Check("kafka", fine)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app.health), base_url="http://toy") as client:
        answer = await client.get("/readyz")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["reasons"] == {"postgres": "failed: ConnectionError", "view": "the projection is 90 s behind"}


@pytest.mark.parametrize(
    "secret",
    [
        {"authorization": "x"}, {"password": "x"}, {"new_password": "x"}, {"refresh_token": "x"}, {"code": 123456}, {"email": "x"},
        {"deep": [{"master_key": ["x", {"y": "x"}]}]}, {"client_secret": "x"}, {"Cookie": "x"}, {"totp": "1"}, {"to": "x"},
    ],
)  # fmt: skip
def test_what_is_named_like_a_secret_is_hidden(secret: dict[str, Any]) -> None:
    shown = json.dumps(redact(secret))
    assert HIDDEN in shown
    assert '"x"' not in shown
    assert "123456" not in shown


@pytest.mark.parametrize(
    "text",
    [
        "sent lk_sk_live_0a1B2c", "Bearer abcdef.ghi", "token eyJhbGciOi.eyJzdWIi.c2ln", "postgres://app:hunter2@db/x",
        "mail to a.b+c@d.example.org",
        "Authorization: Basic bGtfc2s6", "Key (email)=(anna@example.org) exists",
    ],
)  # fmt: skip
def test_what_looks_like_a_secret_is_hidden_anywhere(text: str) -> None:
    shown = json.dumps(redact({"event": text, "list": [text]}))
    assert shown.count(HIDDEN) == 2
    assert not re.search(r"0a1B2c|abcdef|eyJ|hunter2|@d\.|bGtf|anna", shown)


def test_what_is_no_secret_is_left_alone() -> None:
    fields = {"event": "ok", "status": 200, "ms": 1.5, "ok": True, "route": "/v1/apps/{app_id}", "none": None, "codes": [1]}
    assert redact(fields) == fields


def test_both_loggers_write_redacted_json_lines_that_cannot_be_forged(capsys: pytest.CaptureFixture[str]) -> None:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        configure_logs("toy", "main")
        structlog.get_logger().warning("mail\n{} failed", email="anna@example.org")
        logging.getLogger("library").error("sent lk_sk_live_%s", "0a1B2c")
        try:
            int("Bearer abcdefgh")
        except ValueError:
            structlog.get_logger().exception("crashed")
    finally:
        root.handlers, root.level = before, level
        structlog.reset_defaults()
    first, second, third = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (first["service"], first["process"], first["level"], first["email"]) == ("toy", "main", "warning", HIDDEN)
    assert (second["event"], second["level"]) == (f"sent {HIDDEN}", "error")
    assert "Traceback" in third["exception"]
    assert "abcdefgh" not in third["exception"]


def test_what_the_client_of_kafka_repeats_is_told_once_in_a_while(capsys: pytest.CaptureFixture[str]) -> None:
    root, kafka, other = logging.getLogger(), logging.getLogger("aiokafka.conn"), logging.getLogger("library")
    before, level = root.handlers[:], root.level
    try:
        configure_logs("toy", "main")
        [handler] = root.handlers
        for number, second in enumerate((0, 1, 9.9, 10, 19.9)):
            for said in ("no node %s", "no metadata %s"):
                record = kafka.makeRecord(kafka.name, logging.ERROR, "", 0, said, (number,), None)
                record.created = 1_000 + second
                handler.handle(record)
            other.error("no mail %s", number)
    finally:
        root.handlers, root.level = before, level
        structlog.reset_defaults()
    told = [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]
    assert [line for line in told if "mail" not in line] == ["no node 0", "no metadata 0", "no node 3", "no metadata 3"]
    assert len([line for line in told if "mail" in line]) == 5


def test_a_value_that_is_no_json_is_written_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.write({"event": "x", "kind": int, "raw": b"\xff"})
    assert json.loads(capsys.readouterr().out) == {"event": "x", "kind": "<class 'int'>", "raw": "b'\\xff'"}
    assert sys.stdout is not None
