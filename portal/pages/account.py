"""Personal Info, where I am signed in, the password, and how the pages look."""

from contextlib import suppress
from typing import Annotated, Final
from zoneinfo import available_timezones

from fastapi import Path, Response

from portal.apis.calls import Away, Refused, attempt
from portal.forms import Form, version_of
from portal.pages.visit import Fields, Member, PageRouter

router = PageRouter()

THEMES: Final = ("system", "light", "dark")
_ZONES: Final = tuple(sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith(("Etc/", "SystemV/", "posix"))))
_SENTENCES: Final = {
    "new_password.string_too_short": "Use 8 to 128 characters.",
    "new_password.string_too_long": "Use 8 to 128 characters.",
    "current_password.string_too_short": "Enter your current password.",
    "name.string_too_short": "Enter your name.",
    "name.string_too_long": "A name has at most 100 characters.",
    "resource.version_mismatch": "Your profile was changed elsewhere in the meantime. Load the page anew.",
}
SessionId = Annotated[str, Path(pattern=r"^ses_[0-9A-Za-z]{1,60}$")]


@router.get("/account")
async def profile(visitor: Member) -> Response:
    """Who I am."""
    account = await attempt(visitor.identity.account())
    return visitor.page("account/profile.html", section="account", account=account, form=Form({"name": getattr(account, "name", "")}))


@router.post("/account")
async def rename(visitor: Member, sent: Fields) -> Response:
    """Change the name that is shown."""
    form, version = Form.sent(sent, ("name",)), version_of(sent)
    try:
        visitor.change(name=(await visitor.identity.rename(form["name"], version)).name)
    except (Refused, Away) as refused:
        account = await attempt(visitor.identity.account())
        return visitor.page(
            "account/profile.html", status=422, section="account", account=account, form=form.refused(refused, _SENTENCES)
        )  # fmt: skip
    return visitor.go("/account", "Your name is saved.")


@router.get("/account/sessions")
async def sessions(visitor: Member, cursor: str | None = None) -> Response:
    """Where I am signed in."""
    return visitor.page("account/sessions.html", section="account", sessions=await attempt(visitor.identity.sessions(cursor)))


@router.post("/account/sessions/{session_id}/end")
async def end_session(session_id: SessionId, visitor: Member) -> Response:
    """Sign out one."""
    with suppress(Refused):  # it may be over already
        await visitor.identity.end_session(session_id)
    tokens = visitor.session.tokens
    if tokens and tokens.session_id == session_id:
        visitor.session = visitor.session.signed_out("You are signed out.")
        return visitor.go("/sign-in")
    return visitor.go("/account/sessions", "That session is signed out.")


@router.post("/account/sessions/end-all")
async def end_all_sessions(visitor: Member) -> Response:
    """Sign out everywhere, here too."""
    await visitor.identity.end_all_sessions()
    visitor.session = visitor.session.signed_out("You are signed out everywhere.")
    return visitor.go("/sign-in")


@router.get("/account/password")
async def password_page(visitor: Member) -> Response:
    """The form for a new password."""
    return visitor.page("account/password.html", section="account", form=Form())


@router.post("/account/password")
async def change_password(visitor: Member, sent: Fields) -> Response:
    """Choose a new password; this signs out everywhere, here too."""
    form = Form.sent(sent, ("current_password", "new_password"))
    try:
        await visitor.identity.change_password(current=form["current_password"], new=form["new_password"])
    except (Refused, Away) as refused:
        marked = form.refused(refused, _SENTENCES)
        if isinstance(refused, Refused) and refused.code == "identity.password_wrong":
            marked = form.with_errors({"current_password": refused.problem.title})
        return visitor.page("account/password.html", status=422, section="account", form=marked)
    email = visitor.session.email
    visitor.session = visitor.session.signed_out("Your password is changed. Sign in with the new one.")
    visitor.change(email=email)
    return visitor.go("/sign-in")


@router.get("/settings")
async def settings_page(visitor: Member) -> Response:
    """How the pages look, for this browser."""
    zones = [(zone, zone.replace("_", " ")) for zone in sorted({"UTC", visitor.session.zone, *_ZONES})]
    return visitor.page("account/settings.html", section="settings", form=Form({"zone": visitor.session.zone}), zones=zones)


@router.post("/settings")
async def change_settings(visitor: Member, sent: Fields) -> Response:
    """Only what there is to choose from is taken."""
    theme, zone = str(sent.get("theme")), str(sent.get("zone"))
    if theme in THEMES:
        visitor.change(theme=theme)
    if zone == "UTC" or zone in _ZONES:
        visitor.change(zone=zone)
    return visitor.go("/settings", "Saved for this browser.")
