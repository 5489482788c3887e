"""The four services as the portal's HTTP client meets them in tests of the portal alone: answers by address, and every call kept."""

import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx2

from portal.assets import Assets
from portal.pages.places import Places
from portal.pages.visit import Parts
from portal.rendering import Pages
from portal.session import COOKIE, Refresher, Session, SessionSeal, Tokens
from portal.settings import Settings
from portal.wiring import build_app
from shared.http.app import ServedApp

KEYS = (bytes(range(32)), bytes(range(1, 33)))
ORIGIN = "https://studio.example"
NOW = 1_800_000_000.0
SETTINGS = Settings.from_env(
    "PORTAL_",
    {
        **{f"PORTAL_{name}_URL": f"http://{name.lower()}" for name in ("IDENTITY", "REGISTRY", "KEYS", "METRICS")},
        "PORTAL_SESSION_KEYS": ",".join(base64.b64encode(key).decode() for key in KEYS),
    },
)
ASSETS = Assets()


def problem(status: int, code: str, *errors: tuple[str, str, str]) -> httpx2.Response:
    """A problem document."""
    wrong = [{"pointer": pointer, "code": of, "detail": detail} for pointer, of, detail in errors]
    body = {"type": "x", "title": f"Refused: {code}.", "status": status, "code": code, "detail": f"Refused: {code}.", "request_id": "r"}
    return httpx2.Response(status, json=body | {"errors": wrong})


@dataclass
class Services:
    """What each address answers, as `GET registry/v1/catalog`; everything else is away."""

    answers: dict[str, httpx2.Response | Callable[[httpx2.Request], httpx2.Response]] = field(default_factory=dict)
    calls: list[httpx2.Request] = field(default_factory=list)

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        """One call of the portal."""
        self.calls.append(request)
        answer = self.answers.get(f"{request.method} {request.url.host}{request.url.path}")
        if answer is None:
            raise httpx2.ConnectError("nobody listens", request=request)
        return answer(request) if callable(answer) else answer

    def asked(self, of: str) -> list[httpx2.Request]:
        """The calls of one address."""
        return [call for call in self.calls if f"{call.method} {call.url.host}{call.url.path}" == of]


@dataclass
class Browser:
    """A browser without a screen: it keeps the cookie and names its origin."""

    http: httpx2.AsyncClient
    services: Services
    app: ServedApp
    seal: SessionSeal

    @property
    def session(self) -> Session:
        """What the cookie holds."""
        opened = self.seal.open(self.http.cookies.get(COOKIE) or "")
        assert opened is not None
        return opened

    def holds(self, session: Session) -> Session:
        """Put a session into the cookie."""
        self.http.cookies.set(COOKIE, self.seal.seal(session), domain="studio.example")
        return session

    def sign_in(self, left: float = 3_000.0) -> Session:
        """Somebody whose access token is good for so many seconds more."""
        return self.holds(
            Session(tokens=Tokens("access-1", "refresh-1", NOW + left, "ses_1", "acc_1"), name="Zoë", email="zoe@example.com")
        )

    async def get(self, path: str, **rest: Any) -> httpx2.Response:
        return await self.http.get(path, **rest)

    async def post(self, path: str, fields: dict[str, str] | None = None, **rest: Any) -> httpx2.Response:
        """A form as a page of ours sends it."""
        data = {"csrf": self.session.csrf} | (fields or {})
        return await self.http.post(path, data=data, headers={"origin": ORIGIN} | rest.pop("headers", {}), **rest)


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """The portal in this process, on services that are all away until a test says what they answer."""
    services = Services()
    async with httpx2.AsyncClient(transport=httpx2.MockTransport(services)) as outwards:
        addresses = {name: f"http://{name}" for name in ("identity", "registry", "keys", "metrics", "transactions")}
        parts = Parts(Pages(ASSETS), addresses, outwards, 1.5, Refresher(lambda: NOW), Places())
        app = build_app(SETTINGS, parts, ASSETS)
        transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx2.AsyncClient(transport=transport, base_url=ORIGIN) as http:
            yield Browser(http, services, app, SessionSeal(KEYS))


def cookie_of(answer: httpx2.Response) -> str:
    """The Set-Cookie header; empty when there is none."""
    return answer.headers.get("set-cookie", "")


def path_of(url: str) -> str:
    """A redirect's path and query."""
    parts = urlsplit(url)
    return parts.path + (f"?{parts.query}" if parts.query else "")
