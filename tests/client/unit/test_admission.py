"""Keys at somebody else's door: where a request may carry one, what each verdict answers, and what the gate lets through."""

import base64
import json
from typing import Any

from latchkey.admission import VERDICT, KeyGate, Message, Receive, Scope, Send, admit, key_in, status_of
from latchkey.judging import Code
from latchkey.keyformat import Kind
from latchkey.verifier import Verdict


class Judge:
    """Answers what it is told to, and remembers what it was asked."""

    def __init__(self, code: Code = Code.VALID, kind: Kind = Kind.SECRET) -> None:
        self.code, self.kind, self.asked = code, kind, list[tuple[str, dict[str, Any]]]()

    async def check_fresh(self, key_text: str, *, origin: str | None = None, ip: str | None = None, scope: str | None = None) -> Verdict:
        self.asked.append((key_text, {"origin": origin, "ip": ip, "scope": scope}))
        return Verdict(self.code, None, self.kind, None)


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_where_a_key_may_stand() -> None:
    for header, key in (
        ("Bearer lk_sk_1", "lk_sk_1"),
        ("bearer  lk_sk_1 ", "lk_sk_1"),
        (basic("lk_sk_1:"), "lk_sk_1"),
        (basic("lk_sk_1:ignored"), "lk_sk_1"),
        (basic(":only a password"), None),
        ("Basic !!!", None),
        ("Basic " + base64.b64encode(b"\xff\xfe").decode(), None),
        ("Digest lk_sk_1", None),
        ("Bearer", None),
        ("", None),
        (None, None),
    ):
        assert key_in(header) == key, header


def test_only_valid_is_let_through() -> None:
    expected = {Code.VALID: 200, Code.STALE_FEED: 503, Code.RATE_LIMITED: 429}
    forbidden = dict.fromkeys((Code.FORBIDDEN_IP, Code.FORBIDDEN_ORIGIN, Code.INSUFFICIENT_SCOPE), 403)
    for code in Code:
        assert status_of(Verdict(code, None, None, None)) == (expected | forbidden).get(code, 401), code


async def test_the_plain_function_asks_only_for_a_key_that_is_there() -> None:
    judge = Judge()
    assert await admit(judge, None) is None
    assert judge.asked == []
    verdict = await admit(judge, "Bearer k", origin="https://shop.example", ip="203.0.113.9", scope="pay")
    assert status_of(verdict) == 200
    assert judge.asked == [("k", {"origin": "https://shop.example", "ip": "203.0.113.9", "scope": "pay"})]


async def app(scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "reached", "verdict": scope.get(VERDICT)})


async def through(gate: KeyGate, *headers: tuple[bytes, bytes], kind: str = "http", path: str = "/") -> list[Message]:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    await gate({"type": kind, "path": path, "headers": list(headers), "client": ("203.0.113.9", 1)}, receive, send)
    return sent


async def test_the_gate_passes_a_good_key_on_with_its_verdict() -> None:
    judge = Judge()
    [reached] = await through(KeyGate(app, judge, scope="pay"), (b"Authorization", b"Bearer k"), (b"origin", b"https://shop.example"))
    assert reached["verdict"].code is Code.VALID
    assert judge.asked == [("k", {"origin": "https://shop.example", "ip": "203.0.113.9", "scope": "pay"})]


async def test_the_gate_refuses_with_a_problem() -> None:
    for code, headers, status, named in (
        (Code.VALID, [], 401, "KEY_MISSING"),
        (Code.VALID, [(b"authorization", b"Bearer a"), (b"authorization", b"Bearer b")], 401, "KEY_MISSING"),
        (Code.REVOKED, [(b"authorization", b"Bearer k")], 401, "REVOKED"),
        (Code.INSUFFICIENT_SCOPE, [(b"authorization", b"Bearer k")], 403, "INSUFFICIENT_SCOPE"),
        (Code.STALE_FEED, [(b"authorization", b"Bearer k")], 503, "STALE_FEED"),
    ):
        start, body = await through(KeyGate(app, Judge(code)), *headers)
        told = dict(start["headers"])
        assert (start["status"], told[b"content-type"], told[b"cache-control"]) == (status, b"application/problem+json", b"no-store")
        assert (b"www-authenticate" in told, b"retry-after" in told) == (status == 401, status == 503)
        assert json.loads(body["body"]) | {"title": ""} == {
            "type": f"urn:latchkey:problem:{named}",
            "title": "",
            "status": status,
            "code": named,
        }


async def test_a_public_key_opens_only_a_gate_that_was_told_so() -> None:
    key, public = (b"authorization", b"Bearer k"), Judge(kind=Kind.PUBLIC)
    start, body = await through(KeyGate(app, public), key)
    assert (start["status"], json.loads(body["body"])["code"]) == (403, "FORBIDDEN_KIND")
    assert await through(KeyGate(app, public), key, kind="websocket") == [{"type": "websocket.close", "code": 1008}]
    [reached] = await through(KeyGate(app, public, kinds=[*Kind]), key)
    assert reached["verdict"].kind is Kind.PUBLIC
    start, _ = await through(KeyGate(app, Judge(Code.REVOKED, Kind.PUBLIC)), key)
    assert start["status"] == 401


async def test_the_gate_closes_websockets_and_leaves_open_paths_and_lifespan_alone() -> None:
    gate = KeyGate(app, Judge(Code.REVOKED), open_paths=["/livez"])
    assert await through(gate, kind="websocket") == [{"type": "websocket.close", "code": 1008}]
    assert await through(gate, path="/livez") == [{"type": "reached", "verdict": None}]
    assert await through(gate, kind="lifespan") == [{"type": "reached", "verdict": None}]
