"""POST /v1/keys/verify as a plain ASGI app: what every request of every customer waits for goes through nothing that it does not need."""

from functools import partial
from typing import Any, Final

from pydantic_core import from_json
from starlette.types import Message, Receive, Scope, Send

from services.keys.api.verifying import EVERY_APP, Question, Verifying, Waiting
from shared.errors import FieldError, Invalid, Malformed, Refusal, TooLarge, Unauthenticated, UnsupportedMedia
from shared.http.exchange import begin
from shared.http.problems import LOST, answer
from shared.http.protocol import Later
from shared.http.refusals import MethodNotAllowed

PATH: Final = "/v1/keys/verify"
_LONGEST_BODY: Final = 4_096
_LONGEST: Final = {"key": 256, "scope": 64, "origin": 261, "ip": 45}
_HEADERS: Final = [(b"content-type", b"application/json"), (b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]
_ANSWER: Final = b"".join(b"%b: %b\r\n" % header for header in _HEADERS) + b"content-length: %d\r\n\r\n%b"


class VerifyRoute:
    """One small body in, one small body out. Everything that is refused is a problem document, as everywhere else. See HotApp."""

    def __init__(self, verifying: Verifying) -> None:
        self._verifying = verifying

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        try:
            body = await self._answered(scope, headers, receive)
        except Refusal as refusal:
            await _refuse(refusal, headers, scope, receive, send)
        except LOST:
            await _refuse(Refusal(), headers, scope, receive, send)
        else:
            await send({"type": "http.response.start", "status": 200, "headers": [*_HEADERS, (b"content-length", b"%d" % len(body))]})
            await send({"type": "http.response.body", "body": body})

    def at_once(self, scope: Scope, body: bytes) -> bytes | Later | None:
        """What a service token that was admitted before is told about a key; one that is unknown here is waited for."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        if scope["method"] != "POST" or scope["query_string"] or not self._verifying.admitted(headers.get(b"authorization", b"")):
            return None
        try:
            verdict = self._verifying.at_once(EVERY_APP, _question(body, headers.get(b"content-type", b"")))
        except Refusal:
            return None
        return Later(verdict.done, partial(_late, verdict)) if isinstance(verdict, Waiting) else _ANSWER % (len(verdict), verdict)

    async def _answered(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        if scope["method"] != "POST":
            raise MethodNotAllowed
        asker = await self._asker(scope, headers)
        if scope["query_string"]:
            raise Invalid(errors=(FieldError("query", "extra_forbidden", "There are no parameters."),))
        message = await receive()
        body = message["body"] if not message.get("more_body") and "body" in message else await _rest(message, receive)
        return await self._verifying.answer(asker, _question(body, headers.get(b"content-type", b"")))

    async def _asker(self, scope: Scope, headers: dict[bytes, bytes]) -> str:
        authorization = headers.get(b"authorization")
        if authorization is None:
            raise Unauthenticated
        if self._verifying.admitted(authorization):
            return EVERY_APP
        origin, client = headers.get(b"origin"), scope.get("client")
        return await self._verifying.asker(
            authorization.decode("latin-1"), None if origin is None else origin.decode("latin-1"), client[0] if client else None
        )


def _late(waiting: Waiting) -> bytes | None:
    try:
        verdict = waiting.verdict()
    except Refusal:
        return None
    return _ANSWER % (len(verdict), verdict)


async def _rest(message: Message, receive: Receive) -> bytes:
    body: bytes = message.get("body", b"")
    while message.get("more_body") and len(body) <= _LONGEST_BODY:
        message = await receive()
        body += message.get("body", b"")
    return body


def _question(body: bytes, media: bytes) -> Question:
    if len(body) > _LONGEST_BODY:
        raise TooLarge
    if media != b"application/json" and media.partition(b";")[0].strip().lower() != b"application/json":
        raise UnsupportedMedia("Send application/json.")
    try:
        sent = from_json(body)
    except ValueError:
        raise Malformed("The body is not JSON.") from None
    if not isinstance(sent, dict):
        raise Invalid(errors=(FieldError("", "object_type", "Send an object."),))
    for name, value in sent.items():
        if type(value) is not str or len(value) > _LONGEST.get(name, -1):
            break
    else:
        if "key" in sent:
            return Question(**sent)
    wrong = [fault for name, value in sent.items() if (fault := _fault(name, value))]
    if "key" not in sent:
        wrong.append(FieldError("/key", "missing", "Field required."))
    if wrong:
        raise Invalid(errors=tuple(wrong))
    return Question(**sent)


def _fault(name: str, value: Any) -> FieldError | None:
    longest = _LONGEST.get(name)
    if longest is None:
        step = name[:100].replace("~", "~0").replace("/", "~1")
        return FieldError(f"/{step}", "extra_forbidden", "There is no such field.")
    if value is None and name != "key":
        return None
    if not isinstance(value, str):
        return FieldError(f"/{name}", "string_type", "Input should be a valid string.")
    if len(value) > longest:
        return FieldError(f"/{name}", "string_too_long", f"String should have at most {longest} characters.")
    return None


async def _refuse(refusal: Refusal, headers: dict[bytes, bytes], scope: Scope, receive: Receive, send: Send) -> None:
    exchange = begin(headers.get(b"x-request-id", b"").decode("latin-1"), None)
    extra = {"x-request-id": exchange.request_id} | ({"allow": "POST"} if isinstance(refusal, MethodNotAllowed) else {})
    await answer(refusal, exchange, extra)(scope, receive, send)
