"""The session of a browser: one sealed cookie, and tokens that are refreshed once however many tabs ask."""

import asyncio
import base64
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from http.cookies import CookieError, SimpleCookie
from typing import Any, Final, Self

from pydantic_core import from_json, to_json
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from portal.apis.calls import Failed
from portal.apis.identity import SignedIn
from shared.sealing import Cipher, SealBroken

COOKIE: Final = "__Host-latchkey"
LOCAL: Final = "latchkey"
"""Beside it, on a loopback address without TLS: WebKit keeps no Secure cookie there, and what never leaves the machine needs no TLS."""
KEY: Final = "portal.session"
LIFE_SECONDS: Final = 30 * 86_400  # as long as identity lets a session live
_PLACE: Final = "portal session 1"
_EARLY_SECONDS: Final = 20.0
_REMEMBER_SECONDS: Final = 10.0
_LOOPBACK: Final = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")


@dataclass(frozen=True, slots=True)
class Tokens:
    """What identity gave at sign-in, or at the last refresh; `expires_at` is in seconds since 1970."""

    access: str
    refresh: str
    expires_at: float
    session_id: str
    account_id: str

    @classmethod
    def of(cls, signed_in: SignedIn, now: float) -> Self:
        return cls(
            signed_in.access_token, signed_in.refresh_token, now + signed_in.expires_in, signed_in.session_id, signed_in.account_id
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Session:
    """Everything that the portal remembers of a browser, also of one that is not signed in.

    `notice` is shown by the next page and then gone; `email` is the address that waits for a mailed code, or that is signed in.
    """

    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(24))
    tokens: Tokens | None = None
    name: str = ""
    email: str = ""
    zone: str = "UTC"
    theme: str = "system"
    notice: str = ""

    def signed_in(self, tokens: Tokens, *, name: str, email: str) -> "Session":
        """The session of somebody whom identity knows; a form that was open before counts no more."""
        return replace(self, csrf=secrets.token_urlsafe(24), tokens=tokens, name=name, email=email)

    def signed_out(self, notice: str = "") -> "Session":
        """Nothing but how the pages look."""
        return Session(zone=self.zone, theme=self.theme, notice=notice)


class SessionSeal:
    """Authenticated encryption of sessions. The first key seals, every key opens; a cookie older than LIFE_SECONDS does not open."""

    def __init__(self, keys: Sequence[bytes], clock: Callable[[], float] = time.time) -> None:
        self._ciphers = [Cipher(key) for key in keys]
        self._clock = clock

    def seal(self, session: Session) -> str:
        """The cookie's value."""
        plain = to_json({"at": int(self._clock()), "session": asdict(session)})
        return base64.urlsafe_b64encode(self._ciphers[0].seal(plain, _PLACE)).decode().rstrip("=")

    def open(self, value: str) -> Session | None:
        """The session; None when the value was not sealed here, or too long ago."""
        try:
            sealed = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4))
        except ValueError:
            return None
        for cipher in self._ciphers:
            try:
                return self._read(from_json(cipher.open(sealed, _PLACE)))
            except SealBroken:
                continue
        return None

    def _read(self, held: dict[str, Any]) -> Session | None:
        if held["at"] < self._clock() - LIFE_SECONDS:
            return None
        try:
            tokens = held["session"].pop("tokens")
            return Session(**held["session"], tokens=Tokens(**tokens) if tokens else None)
        except TypeError:  # sealed by a version of the portal whose sessions had other fields
            return None


@dataclass(slots=True)
class Held:
    """The session of the request under way; whoever replaces it changes the cookie."""

    session: Session


class SessionCookie:
    """Opens the cookie before the request and sets it again when the session has changed, in plain ASGI."""

    def __init__(self, app: ASGIApp, *, seal: SessionSeal) -> None:
        self._app, self._seal = app, seal

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        names = _names(scope)
        kept = _kept(scope, names)
        came = self._seal.open(kept[1]) if kept else None
        held = scope[KEY] = Held(came or Session())

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start" and held.session != came:
                # Under each name until the browser shows which it keeps.
                sealed = [self._set(name, held.session) for name in (kept[:1] if kept else names)]
                message["headers"] = [*message.get("headers", ()), *((b"set-cookie", one) for one in sealed)]
            await send(message)

        await self._app(scope, receive, sending)

    def _set(self, name: str, session: Session) -> bytes:
        secure = " Secure;" if name == COOKIE else ""
        return f"{name}={self._seal.seal(session)}; Path=/; Max-Age={LIFE_SECONDS};{secure} HttpOnly; SameSite=Lax".encode()


def _names(scope: Scope) -> tuple[str, ...]:
    """What the cookie may be called at the address of this request, the better first."""
    local = scope["scheme"] == "http" and _LOOPBACK.fullmatch(Headers(scope=scope).get("host", ""))
    return (COOKIE, LOCAL) if local else (COOKIE,)


def _kept(scope: Scope, names: Sequence[str]) -> tuple[str, str] | None:
    """The first of these cookies that came: its name and value."""
    try:
        cookies = SimpleCookie("; ".join(Headers(scope=scope).getlist("cookie")))
    except CookieError:
        return None
    return next(((name, cookies[name].value) for name in names if name in cookies), None)


class Refresher:
    """Trades refresh tokens, each once: who asks while it is under way, or within ten seconds after, gets the same successor.

    Ten seconds because tabs that were loaded together still hold the old cookie; identity does the same between processes.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._trades: dict[str, asyncio.Task[Tokens]] = {}

    async def fresh(self, tokens: Tokens, trade: Callable[[str], Awaitable[SignedIn]]) -> Tokens:
        """These tokens, or their successors when they are about to expire. Raises what the trade raises."""
        if self._clock() < tokens.expires_at - _EARLY_SECONDS:
            return tokens
        task = self._trades.get(tokens.refresh)
        if task is None:
            task = self._trades[tokens.refresh] = asyncio.create_task(self._trade(tokens, trade))
            task.add_done_callback(lambda done: self._forget(tokens.refresh, done))
        try:
            return await asyncio.shield(task)
        except Failed:
            if self._clock() < tokens.expires_at:
                return tokens  # identity is away for the moment, and these are still good
            raise

    async def _trade(self, tokens: Tokens, trade: Callable[[str], Awaitable[SignedIn]]) -> Tokens:
        return Tokens.of(await trade(tokens.refresh), self._clock())

    def _forget(self, refresh: str, done: "asyncio.Task[Tokens]") -> None:
        failed = done.cancelled() or done.exception() is not None
        asyncio.get_running_loop().call_later(0 if failed else _REMEMBER_SECONDS, self._trades.pop, refresh, None)
