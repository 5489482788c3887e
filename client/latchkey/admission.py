"""API keys at your own door: a plain function for any framework, and ASGI middleware that lets only good keys through."""

import base64
import binascii
import json
from collections.abc import Awaitable, Callable, Collection, Iterable, MutableMapping
from typing import Any, Final, Protocol

from latchkey.judging import Code
from latchkey.keyformat import Kind
from latchkey.verifier import Verdict

__all__ = ["VERDICT", "KeyGate", "Verifier", "admit", "key_in", "status_of"]

VERDICT: Final = "latchkey.verdict"
"""Where `KeyGate` puts the verdict in the ASGI scope of a request that it lets through."""

_STATUS: Final = {
    Code.INSUFFICIENT_SCOPE: 403,
    Code.FORBIDDEN_ORIGIN: 403,
    Code.FORBIDDEN_IP: 403,
    Code.STALE_FEED: 503,
    Code.RATE_LIMITED: 429,
}
_LONGEST: Final = 4096

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


class Verifier(Protocol):
    """What `latchkey.verifier.LocalVerifier` is here."""

    async def check_fresh(self, key_text: str, *, origin: str | None = None, ip: str | None = None, scope: str | None = None) -> Verdict:
        """Judge a key; one made a moment ago is known, or STALE_FEED."""


def key_in(authorization: str | None) -> str | None:
    """The key of an Authorization header, as bearer or as the user name of Basic; None when there is none or it cannot be read."""
    kind, _, rest = (authorization or "")[:_LONGEST].strip().partition(" ")
    match kind.lower():
        case "bearer":
            return rest.strip() or None
        case "basic":
            try:
                return base64.b64decode(rest.strip(), validate=True).decode().partition(":")[0] or None
            except (binascii.Error, UnicodeDecodeError):
                return None
        case _:
            return None


def status_of(verdict: Verdict | None) -> int:
    """The HTTP status for a verdict: 200 only for VALID, 401 for no key and for a key that is not good (any more), 403 where a rule of
    the pair forbids, 503 when nobody can know."""
    if verdict is None:
        return 401
    return 200 if verdict.code is Code.VALID else _STATUS.get(verdict.code, 401)


async def admit(
    verifier: Verifier, authorization: str | None, *, origin: str | None = None, ip: str | None = None, scope: str | None = None
) -> Verdict | None:
    """Judge the key of a request: give its Authorization and Origin headers, its peer's address, and the scope that it needs.

    None when it holds no key. Let the request through only when `status_of` the answer is 200, and its `.kind` one that may call here.
    """
    key = key_in(authorization)
    return None if key is None else await verifier.check_fresh(key, origin=origin, ip=ip, scope=scope)


class KeyGate:
    """ASGI middleware: a request without a good key is refused with a problem document.

    Any other finds its verdict in `scope["latchkey.verdict"]`: `.record` is the pair with `app_id`, `tenant` and `environment`, `.kind`
    tells a public key from a secret one. Only secret keys are let through, because a public key stands in pages that anybody reads; name
    `Kind.PUBLIC` in `kinds` where such a page may call. `scope` is what every request needs; `open_paths` need no key. The peer's address
    is the ASGI server's: behind a proxy let that set it. Websockets are refused by closing them. Lifespan events pass.
    """

    def __init__(
        self,
        app: App,
        verifier: Verifier,
        *,
        scope: str | None = None,
        kinds: Collection[Kind] = (Kind.SECRET,),
        open_paths: Iterable[str] = (),
    ) -> None:
        self._app, self._verifier, self._scope, self._open = app, verifier, scope, frozenset(open_paths)
        self._kinds = frozenset(kinds)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Judge, then refuse or pass on."""
        if scope["type"] not in {"http", "websocket"} or scope["path"] in self._open:
            await self._app(scope, receive, send)
            return
        client = scope.get("client")
        verdict = await admit(
            self._verifier,
            _header(scope, b"authorization"),
            origin=_header(scope, b"origin"),
            ip=client[0] if client else None,
            scope=self._scope,
        )
        status, code = status_of(verdict), "KEY_MISSING" if verdict is None else str(verdict.code)
        if verdict is not None and verdict.code is Code.VALID and verdict.kind not in self._kinds:
            status, code = 403, "FORBIDDEN_KIND"
        if status == 200:  # noqa: PLR2004 - HTTP's own number
            await self._app({**scope, VERDICT: verdict}, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await _refuse(send, status, code)


def _header(scope: Scope, wanted: bytes) -> str | None:
    """The header's value, None when it is absent, the empty text when it came twice: of two answers none is taken."""
    found = [value for name, value in scope["headers"] if name.lower() == wanted]
    if len(found) > 1:
        return ""
    return found[0].decode("latin-1") if found else None


async def _refuse(send: Send, status: int, code: str) -> None:
    title = {401: "No valid key", 403: "The key may not do that", 429: "Too many requests", 503: "Keys cannot be checked at the moment"}[
        status
    ]
    body = json.dumps({"type": f"urn:latchkey:problem:{code}", "title": title, "status": status, "code": code}).encode()
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    if status == 401:  # noqa: PLR2004 - HTTP's own number
        headers.append((b"www-authenticate", b'Bearer realm="latchkey"'))
    if status in {429, 503}:
        headers.append((b"retry-after", b"1"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
