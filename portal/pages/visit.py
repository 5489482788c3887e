"""One request of one browser: its session, the services in its name, and the ways to answer."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Final
from urllib.parse import quote, urlsplit

import httpx2
from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from starlette.datastructures import FormData

from portal import csrf
from portal.apis.calls import Calls, Refused, Sender
from portal.apis.identity import Identity
from portal.apis.keys import Keys
from portal.apis.metrics import Metrics
from portal.apis.registry import Registry
from portal.pages.places import Places
from portal.rendering import Pages
from portal.session import KEY, Held, Refresher, Session
from shared.http.exchange import exchange_of
from shared.http.refusals import BodyTooSlow

_SAFE: Final = frozenset({"GET", "HEAD"})
_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class SignInFirst(Exception):
    """The page needs somebody who is signed in; `ended` when a session was there and is over."""

    def __init__(self, *, ended: bool = False) -> None:
        super().__init__()
        self.ended = ended


@dataclass(frozen=True, slots=True)
class Parts:
    """What the process has: templates, where the services are and how long a read may take, the HTTP client, and two memories."""

    pages: Pages
    addresses: Mapping[str, str]
    http: httpx2.AsyncClient
    read_seconds: float
    refresher: Refresher
    places: Places


class Visit:
    """One request. `session` may be replaced; the cookie follows."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self._parts: Parts = request.app.state.parts
        self._held: Held = request.scope[KEY]

    @property
    def session(self) -> Session:
        return self._held.session

    @session.setter
    def session(self, session: Session) -> None:
        self._held.session = session

    def change(self, **fields: Any) -> None:
        """Replace fields of the session."""
        self.session = replace(self.session, **fields)

    @property
    def identity(self) -> Identity:
        return Identity(self._calls("identity"))

    @property
    def registry(self) -> Registry:
        return Registry(self._calls("registry"))

    @property
    def keys(self) -> Keys:
        return Keys(self._calls("keys"))

    @property
    def metrics(self) -> Metrics:
        return Metrics(self._calls("metrics"))

    @property
    def transactions_url(self) -> str:
        """Where shops send their transactions."""
        return f"{self._parts.addresses['transactions']}/v1/transactions"

    @property
    def places(self) -> Places:
        return self._parts.places

    def _calls(self, service: str, *, token: bool = True) -> Calls:
        tokens, client = self.session.tokens, self.request.client
        exchange = exchange_of(self.request.scope)
        sender = Sender(
            exchange.request_id, client.host if client else "unknown", self.request.headers.get("user-agent", ""), exchange.traceparent,
            tokens.access if tokens and token else None,
        )  # fmt: skip
        return Calls(service, self._parts.addresses[service], self._parts.http, sender, self._parts.read_seconds)

    async def require_member(self) -> None:
        """Refresh the tokens when it is time. Raises SignInFirst."""
        tokens = self.session.tokens
        if tokens is None:
            raise SignInFirst
        anonymous = Identity(self._calls("identity", token=False))
        try:
            self.change(tokens=await self._parts.refresher.fresh(tokens, anonymous.refresh))
        except Refused:
            raise SignInFirst(ended=True) from None

    def page(self, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
        """A page. It shows the session's notice, once."""
        session = self.session
        if session.notice:
            self.change(notice="")
        return HTMLResponse(self._parts.pages.render(template, session=session, path=self.request.url.path, **context), status)

    def go(self, path: str, notice: str = "") -> RedirectResponse:
        """Post, redirect, get."""
        if notice:
            self.change(notice=notice)
        return RedirectResponse(path, 303)


def inside(path: str | None) -> str:
    """A path of ours to go to; the start page for anything that would lead elsewhere."""
    if not path or not path.startswith("/") or path.startswith(("//", "/\\")) or not path.isprintable():
        return "/"
    return path


def sign_in_path(request: Request) -> str:
    """Where somebody signs in who shall come back: to the page, or for a form to the page that it was on."""
    url = urlsplit(str(request.url) if request.method in _SAFE else request.headers.get("referer", ""))
    back = inside(url.path + (f"?{url.query}" if url.query else "")) if url.netloc == request.headers.get("host") else "/"
    return "/sign-in" if back == "/" else f"/sign-in?next={quote(back, safe='/')}"


class PageRoute(APIRoute):
    """A route of the portal: no form of it is looked at before it came within `form_seconds` and passed the two checks of csrf."""

    form_seconds: ClassVar[float] = 30.0  # a logo of 100 KB over a connection of 32 kbit/s

    def get_route_handler(self) -> _Handler:
        """Wrap FastAPI's handler."""
        handle = super().get_route_handler()

        async def checked(request: Request) -> Response:
            if request.method in _SAFE:
                return await handle(request)
            try:
                async with asyncio.timeout(self.form_seconds):
                    form = await request.form()
            except TimeoutError:
                raise BodyTooSlow from None
            try:
                csrf.check(request, form, request.scope[KEY].session)
                return await handle(request)
            finally:
                await form.close()

        return checked


class PageRouter(APIRouter):
    """A router whose routes are PageRoutes."""

    def __init__(self) -> None:
        super().__init__(route_class=PageRoute, default_response_class=HTMLResponse)


def visit(request: Request) -> Visit:
    return Visit(request)


async def member(request: Request) -> Visit:
    found = Visit(request)
    await found.require_member()
    return found


async def fields(request: Request) -> FormData:
    return await request.form()


Anyone = Annotated[Visit, Depends(visit)]
"""Whoever comes."""
Member = Annotated[Visit, Depends(member)]
"""Somebody who is signed in; others are sent to sign in and come back."""
Fields = Annotated[FormData, Depends(fields)]
"""The form that was sent; it has passed the checks of csrf."""
AppId = Annotated[str, Path(pattern=r"^app_[0-9A-Za-z]{1,60}$")]
