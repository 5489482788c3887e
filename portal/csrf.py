"""The two checks of every form: it was made for this session, and it was sent from a page of ours."""

import hmac
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.requests import Request

from portal.session import Session

FIELD: Final = "csrf"


class FormRefused(Exception):
    """The form is from another site, or from a page that was open before somebody signed in or out."""


def check(request: Request, form: Mapping[str, Any], session: Session) -> None:
    """Raises FormRefused unless the token is the session's and the Origin, where the browser names one, is this host.

    A browser that names none says at least with Sec-Fetch-Site that the page was ours; one that says neither is too old for us.
    """
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site")
    ours = urlsplit(origin).netloc == request.headers.get("host") if origin else site == "same-origin"
    token = form.get(FIELD)
    if not ours or not isinstance(token, str) or not hmac.compare_digest(token.encode(), session.csrf.encode()):
        raise FormRefused
