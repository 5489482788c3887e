"""Pages for what went wrong: each says what it is and what to do."""

from dataclasses import dataclass
from typing import Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp

from portal.apis.calls import Away, Refused, SessionOver
from portal.csrf import FormRefused
from portal.pages.visit import SignInFirst, Visit, sign_in_path
from portal.rendering import Pages
from portal.session import Session
from shared.errors import Refusal
from shared.http.exchange import Exchange


@dataclass(frozen=True, slots=True)
class Words:
    """What an error page says."""

    title: str
    text: str


FORBIDDEN: Final = Words(
    "You may not do that", "Your account does not have the right to open this. Somebody who owns it can give you access."
)
NOT_FOUND: Final = Words("This page is not here", "The address may be mistyped, or what it showed is gone or belongs to another account.")
BROKEN: Final = Words("Something broke on our side", "Nothing of yours was changed. Try again; when it stays, tell us the number below.")
AWAY: Final = Words("A part of Latchkey is away", "Try again in a moment; your data is safe.")
STALE: Final = Words(
    "This form is no longer good", "It was open while you signed in or out. Go back, load the page anew and send it again."
)
TOO_LARGE: Final = Words("That is too much at once", "What you sent is larger than we take. A logo has at most 100 KB.")
SLOW: Final = Words("That took too long to arrive", "What you sent was not here in time. Nothing was changed: go back and send it again.")
METHOD: Final = Words("This address does not work that way", "Open the page from its link instead.")
_BY_STATUS: Final = {403: FORBIDDEN, 404: NOT_FOUND, 405: METHOD, 408: SLOW, 413: TOO_LARGE, 503: AWAY}


def install(app: FastAPI) -> None:
    """Answer everything that a page can raise."""
    app.add_exception_handler(SignInFirst, _sign_in_first)
    app.add_exception_handler(SessionOver, _session_ended)
    app.add_exception_handler(Refused, _refused)
    app.add_exception_handler(Away, _away)
    app.add_exception_handler(FormRefused, _form_refused)
    app.add_exception_handler(RequestValidationError, _not_found)
    app.add_exception_handler(HTTPException, _raised_by_framework)


def outermost(pages: Pages) -> "Refuse":
    """The answer to what nobody caught, for the edge: without the session, which may be what broke."""
    return Refuse(pages)


class Refuse:
    """Makes the page of a refusal of the edge."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages

    def __call__(self, refusal: Refusal, exchange: Exchange) -> ASGIApp:
        words = _BY_STATUS.get(refusal.status, BROKEN)
        exchange.code = refusal.code
        html = self._pages.render("error.html", session=Session(), path="", words=words, number=exchange.request_id)
        return HTMLResponse(html, refusal.status, {"connection": "close"})


def _page(request: Request, words: Words, status: int, number: str = "") -> Response:
    return Visit(request).page("error.html", status=status, words=words, number=number)


async def _sign_in_first(request: Request, error: Exception) -> Response:
    visitor = Visit(request)
    if isinstance(error, SignInFirst) and error.ended:
        visitor.session = visitor.session.signed_out("Your session has ended. Sign in to go on where you were.")
    return visitor.go(sign_in_path(request))


async def _session_ended(request: Request, _: Exception) -> Response:
    return await _sign_in_first(request, SignInFirst(ended=True))


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)  # noqa: S101  # tells mypy what this handler was registered for
    words = _BY_STATUS.get(error.status) or Words("That did not work", error.problem.detail)
    return _page(request, words, error.status)


async def _away(request: Request, error: Exception) -> Response:
    return _page(request, Words(AWAY.title, f"{error} {AWAY.text}"), 503)


async def _form_refused(request: Request, _: Exception) -> Response:
    return _page(request, STALE, 403)


async def _not_found(request: Request, _: Exception) -> Response:
    return _page(request, NOT_FOUND, 404)


async def _raised_by_framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # tells mypy what this handler was registered for
    return _page(request, _BY_STATUS.get(error.status_code, BROKEN), error.status_code)
