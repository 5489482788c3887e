"""Sign in, register, verify, forgotten passwords, sign out."""

import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

from fastapi import Response
from starlette.datastructures import FormData

from portal.apis.calls import Away, Refused, SessionOver, attempt
from portal.apis.identity import Verified
from portal.forms import Form
from portal.pages.visit import Anyone, Fields, PageRouter, SignInFirst, Visit, inside
from portal.session import Tokens

router = PageRouter()
T = TypeVar("T")

_NOT_AN_ADDRESS: Final = "Enter an e-mail address, like name@example.com."
_CODE: Final = "Enter the six digits from our mail."
_PASSWORD: Final = "Use 8 to 128 characters."  # noqa: S105  # a sentence
_SENTENCES: Final = {
    "email.value_error": _NOT_AN_ADDRESS,
    "email.string_too_long": _NOT_AN_ADDRESS,
    "code.string_pattern_mismatch": _CODE,
    "password.string_too_short": _PASSWORD,
    "password.string_too_long": _PASSWORD,
    "name.string_too_short": "Enter your name.",
    "name.string_too_long": "A name has at most 100 characters.",
}
_VERIFIED: Final = "Your e-mail is verified. Sign in to begin."
_WITHDRAWN: Final = "Your e-mail is verified. It was registered with several passwords, so none of them counts: choose a new one here."
_CHANGED: Final = "Your password is changed. Sign in with the new one."
_ONLY_HERE: Final = "You are signed out in this browser. The session could not be ended elsewhere: end it under Personal Info later."
_SENT: Final = "If this address waits for a code, a new one is on its way."


@router.get("/sign-in")
async def sign_in_page(visitor: Anyone, next: str | None = None) -> Response:  # noqa: A002  # the parameter's public name
    """S01, S02, S05."""
    if visitor.session.tokens:
        return visitor.go(inside(next))
    return visitor.page("access/sign_in.html", form=Form({"email": visitor.session.email}), next=inside(next))


@router.post("/sign-in")
async def sign_in(visitor: Anyone, sent: Fields) -> Response:
    """S03, S04: unknown, wrong and locked look the same."""
    form, back = Form.sent(sent, ("email", "password")), inside(str(sent.get("next", "")))
    try:
        signed_in = await visitor.identity.sign_in(email=form["email"].strip(), password=form["password"])
    except (Refused, Away) as refused:
        if isinstance(refused, Refused) and refused.code == "identity.account_unverified":
            visitor.change(email=form["email"].strip())
            return visitor.go("/verify", "Enter the code from our mail first; then sign in.")
        return visitor.page("access/sign_in.html", status=422, form=form.refused(refused, _SENTENCES), next=back)
    tokens = Tokens.of(signed_in, time.time())
    visitor.session = visitor.session.signed_in(tokens, name="", email=form["email"].strip())
    account = await attempt(visitor.identity.account())
    if not isinstance(account, Away):
        visitor.change(name=account.name, email=account.email)
    visitor.change(zone=_zone(str(sent.get("zone", "")), visitor.session.zone))
    return visitor.go(back)


@router.post("/sign-out")
async def sign_out(visitor: Anyone) -> Response:
    """End the session here and in identity."""
    notice = "You are signed out."
    try:
        await visitor.require_member()  # a page that stood open has an old token, with which nothing could be ended
        if tokens := visitor.session.tokens:
            await visitor.identity.end_session(tokens.session_id)
    except Away:
        notice = _ONLY_HERE
    except (SignInFirst, Refused, SessionOver):
        pass  # it is over already
    visitor.session = visitor.session.signed_out(notice)
    return visitor.go("/sign-in")


@router.get("/register")
async def register_page(visitor: Anyone) -> Response:
    """The form of a new account."""
    return visitor.page("access/register.html", form=Form())


@router.post("/register")
async def register(visitor: Anyone, sent: Fields) -> Response:
    """The answer is the same for an address that has an account; its owner gets a mail."""
    form, email = _sent(sent, "name", "email", "password")
    done = visitor.identity.register(email=email, password=form["password"], name=form["name"])
    return await _outcome(visitor, "register", form, done, lambda _: visitor.go("/verify"))


@router.get("/verify")
async def verify_page(visitor: Anyone) -> Response:
    """The form for the mailed code."""
    return visitor.page("access/verify.html", form=Form({"email": visitor.session.email}))


@router.post("/verify")
async def verify(visitor: Anyone, sent: Fields) -> Response:
    """Show with the mailed code that the address is yours."""
    form, email = _sent(sent, "email", "code")
    done = visitor.identity.verify(email=email, code=_digits(form["code"]))

    def enter(proven: Verified) -> Response:
        return visitor.go("/forgot-password", _WITHDRAWN) if proven.password_withdrawn else visitor.go("/sign-in", _VERIFIED)

    return await _outcome(visitor, "verify", form, done, enter)


@router.post("/verify/resend")
async def resend(visitor: Anyone, sent: Fields) -> Response:
    """Mail another code. The answer is the same for every address."""
    form, email = _sent(sent, "email")
    return await _outcome(visitor, "verify", form, visitor.identity.resend(email), lambda _: visitor.go("/verify", _SENT))


@router.get("/forgot-password")
async def forgot_page(visitor: Anyone) -> Response:
    """Where a code for a new password is asked for."""
    return visitor.page("access/forgot.html", form=Form({"email": visitor.session.email}))


@router.post("/forgot-password")
async def forgot(visitor: Anyone, sent: Fields) -> Response:
    """The answer is the same for every address."""
    form, email = _sent(sent, "email")
    return await _outcome(visitor, "forgot", form, visitor.identity.forgot_password(email), lambda _: visitor.go("/reset-password"))


@router.get("/reset-password")
async def reset_page(visitor: Anyone) -> Response:
    """Where a new password is chosen with the mailed code."""
    return visitor.page("access/reset.html", form=Form({"email": visitor.session.email}))


@router.post("/reset-password")
async def reset(visitor: Anyone, sent: Fields) -> Response:
    """Choose a new password; this signs out everywhere."""
    form, email = _sent(sent, "email", "code", "password")
    done = visitor.identity.reset_password(email=email, code=_digits(form["code"]), password=form["password"])

    def sign_in_again(_: None) -> Response:
        visitor.session = visitor.session.signed_out()
        return visitor.go("/sign-in", _CHANGED)

    return await _outcome(visitor, "reset", form, done, sign_in_again)


def _sent(sent: FormData, *names: str) -> tuple[Form, str]:
    """The form, and the address in it."""
    form = Form.sent(sent, names)
    return form, form["email"].strip()


async def _outcome(visitor: Visit, page: str, form: Form, asked: Awaitable[T], go: Callable[[T], Response]) -> Response:
    """Where it goes on with the address kept, when identity did what was asked; the form again with what is wrong, when it did not."""
    try:
        done = await asked
    except (Refused, Away) as refused:
        return visitor.page(f"access/{page}.html", status=422, form=_marked(form, refused))
    answer = go(done)
    visitor.change(email=form["email"].strip())
    return answer


def _marked(form: Form, refused: Refused | Away) -> Form:
    if isinstance(refused, Refused) and refused.code == "identity.code_refused":
        return form.with_errors({"code": refused.problem.title})
    return form.refused(refused, _SENTENCES)


def _digits(code: str) -> str:
    """What was meant by a code that was copied with spaces or hyphens."""
    return "".join(code.split()).replace("-", "")


def _zone(name: str, otherwise: str) -> str:
    try:
        return ZoneInfo(name).key
    except (KeyError, ValueError, OSError):
        return otherwise
