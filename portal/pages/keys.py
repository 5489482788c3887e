"""Settings, Generate API Key: the pairs of an app, a new one's only reveal, and everything that ends one."""

import asyncio
import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal

from fastapi import Path, Response

from portal.apis.calls import Away, Refused, attempt
from portal.apis.keys import IssuedPair, Pair
from portal.forms import Form, key_of, new_key, version_of
from portal.pages.frame import app_of
from portal.pages.pairs import LIVE, STANDINGS, SUSPENSIONS, use_of, uses_of
from portal.pages.visit import AppId, Fields, Member, PageRouter, Visit

router = PageRouter()
Environment = Literal["live", "test"]
PairId = Annotated[str, Path(pattern=r"^kp_[0-9A-Za-z]{1,60}$")]

OVERLAPS: Final[Sequence[tuple[int, str]]] = (
    (0, "Now"), (900, "In 15 minutes"), (3_600, "In 1 hour"), (86_400, "In 24 hours"), (604_800, "In 7 days"),
)  # fmt: skip
EXPIRIES: Final[Sequence[tuple[int, str]]] = ((0, "Never"), (30, "In 30 days"), (90, "In 90 days"), (365, "In a year"))
REASONS: Final[Sequence[tuple[str, str]]] = (
    ("leaked", "Somebody else may have the secret key"),
    ("no longer needed", "It is not needed any more"),
    ("unspecified", "Another reason"),
)
LIMITS: Final[Mapping[str, str]] = {"allowed_ips": "IP addresses", "allowed_origins": "Web origins", "scopes": "Scopes"}
ENDS: Final[Sequence[tuple[str, str, str]]] = (
    ("finish", "End the old keys now", "The new ones stay"),
    ("rollback", "Go back to the old keys", "The new ones are refused for ever"),
)
_BETWEEN: Final = re.compile(r"[\s,]+")
_MANY: Final = "At most 32."
_SENTENCES: Final = {
    "allowed_ips.value_error": "One of these is no IP address and no range, like 203.0.113.7 or 203.0.113.0/24.",
    "allowed_ips.string_too_long": "One of these is no IP address and no range, like 203.0.113.7 or 203.0.113.0/24.",
    "allowed_origins.string_pattern_mismatch": "One of these is no web origin, like https://shop.example: no path, in lower case.",
    "allowed_origins.string_too_long": "One of these is too long for a web origin.",
    "scopes.string_pattern_mismatch": "One of these is no scope, like payments:write: lower case, beginning with a letter.",
    **{f"{name}.too_long": _MANY for name in LIMITS},
}
_OVERLAP: Final = "Choose when the old keys stop working."
_CONFIRM: Final = "This is not the name of the app. Type it exactly as shown."
_MOVED: Final = "The keys were changed since you opened this page. Look at them again, then decide."


@router.get("/pay/apps/{app_id}/settings/keys")
async def keys_page(visitor: Member, app_id: AppId, environment: Environment = "live") -> Response:
    """S41, S42, S51."""
    return await _page(visitor, app_id, environment)


@router.post("/pay/apps/{app_id}/settings/keys")
async def generate(visitor: Member, app_id: AppId, sent: Fields) -> Response:
    """S43, S46, S47: the answer is the one page that ever shows the secret; sent again, it says that it was shown."""
    environment: Environment = "test" if sent.get("environment") == "test" else "live"
    form = Form.sent(sent, ("expires_at", *LIMITS))
    limits = {name: [word for word in _BETWEEN.split(form[name]) if word] for name in LIMITS}
    rules = {"environment": environment, "expires_at": form["expires_at"] or None} | limits
    try:
        issued = await visitor.keys.generate(app_id, rules, key=key_of(sent))
    except Refused as refused:
        marked = form.refused(refused, _SENTENCES)
        if marked.errors:
            return await _page(visitor, app_id, environment, form=marked)
        return await _page(visitor, app_id, environment, refused=refused)
    return await _page(visitor, app_id, environment, issued=issued)


@router.get("/pay/apps/{app_id}/settings/keys/{pair_id}/regenerate")
async def regenerate_page(visitor: Member, app_id: AppId, pair_id: PairId) -> Response:
    """S50: what still uses the pair, and when it would end."""
    return await _asking(visitor, "settings/regenerate.html", app_id, pair_id, Form({"overlap": "0"}))


@router.post("/pay/apps/{app_id}/settings/keys/{pair_id}/regenerate")
async def regenerate(visitor: Member, app_id: AppId, pair_id: PairId, sent: Fields) -> Response:
    """S48, S49."""
    form = Form.sent(sent, ("overlap", "confirm"))
    app = await app_of(visitor, app_id)
    overlap = next((seconds for seconds, _ in OVERLAPS if str(seconds) == form["overlap"]), None)
    wrong = {"overlap": _OVERLAP} if overlap is None else {}
    wrong |= {} if _same(form["confirm"], app.name) else {"confirm": _CONFIRM}
    if overlap is None or wrong:
        return await _asking(visitor, "settings/regenerate.html", app_id, pair_id, form.with_errors(wrong))
    try:
        issued = await visitor.keys.regenerate(app_id, pair_id, overlap_seconds=overlap, version=version_of(sent), key=key_of(sent))
    except Refused as refused:
        words = {"resource.version_mismatch": _MOVED}
        return await _asking(visitor, "settings/regenerate.html", app_id, pair_id, form.refused(refused, words))
    return await _page(visitor, app_id, issued.environment, issued=issued, replaced=pair_id)


@router.get("/pay/apps/{app_id}/settings/keys/{pair_id}/rotation")
async def rotation_page(visitor: Member, app_id: AppId, pair_id: PairId, do: str = "finish") -> Response:
    """Ask which of the two pairs of an overlap shall stay, and show who still uses the old one."""
    return await _asking(visitor, "settings/rotation.html", app_id, pair_id, Form({"do": do}), of=("retiring",))


@router.post("/pay/apps/{app_id}/settings/keys/{pair_id}/rotation")
async def end_rotation(visitor: Member, app_id: AppId, pair_id: PairId, sent: Fields) -> Response:
    """S49: end the overlap before its time."""
    form = Form.sent(sent, ("do", "confirm"))
    app, back = await app_of(visitor, app_id), form["do"] == "rollback"
    if not _same(form["confirm"], app.name):
        return await _asking(visitor, "settings/rotation.html", app_id, pair_id, form.with_errors({"confirm": _CONFIRM}))
    try:
        pair = await (visitor.keys.roll_back if back else visitor.keys.finish_rotation)(app_id, pair_id)
    except Refused as refused:
        return await _asking(visitor, "settings/rotation.html", app_id, pair_id, form.refused(refused))
    return visitor.go(_path(pair), "The keys before are back. The newer ones are refused." if back else "The old keys are refused now.")


@router.get("/pay/apps/{app_id}/settings/keys/{pair_id}/disable")
async def disable_page(visitor: Member, app_id: AppId, pair_id: PairId) -> Response:
    """Ask before the keys stop working."""
    return await _asking(visitor, "settings/disable.html", app_id, pair_id, Form())


@router.post("/pay/apps/{app_id}/settings/keys/{pair_id}/disable")
async def disable(visitor: Member, app_id: AppId, pair_id: PairId) -> Response:
    """Refuse both keys until the pair is enabled."""
    try:
        pair = await visitor.keys.disable(app_id, pair_id)
    except Refused as refused:
        return await _asking(visitor, "settings/disable.html", app_id, pair_id, Form().refused(refused))
    return visitor.go(_path(pair), "The key pair is disabled. Both keys are refused until you enable it.")


@router.post("/pay/apps/{app_id}/settings/keys/{pair_id}/enable")
async def enable(visitor: Member, app_id: AppId, pair_id: PairId) -> Response:
    """Let the keys of a disabled pair work again."""
    try:
        pair = await visitor.keys.enable(app_id, pair_id)
    except Refused as refused:
        known = await visitor.keys.pair(app_id, pair_id)
        return await _page(visitor, app_id, known.environment, refused=refused)
    return visitor.go(_path(pair), "The key pair is enabled. Both keys work again.")


@router.get("/pay/apps/{app_id}/settings/keys/{pair_id}/revoke")
async def revoke_page(visitor: Member, app_id: AppId, pair_id: PairId) -> Response:
    """Ask before the keys end for ever."""
    return await _asking(visitor, "settings/revoke.html", app_id, pair_id, Form({"reason": REASONS[0][0]}))


@router.post("/pay/apps/{app_id}/settings/keys/{pair_id}/revoke")
async def revoke(visitor: Member, app_id: AppId, pair_id: PairId, sent: Fields) -> Response:
    """Refuse both keys for ever."""
    form = Form.sent(sent, ("reason", "confirm"))
    app = await app_of(visitor, app_id)
    if not _same(form["confirm"], app.name):
        return await _asking(visitor, "settings/revoke.html", app_id, pair_id, form.with_errors({"confirm": _CONFIRM}))
    try:
        pair = await visitor.keys.revoke(app_id, pair_id, form["reason"] or "unspecified")
    except Refused as refused:
        return await _asking(visitor, "settings/revoke.html", app_id, pair_id, form.refused(refused))
    return visitor.go(_path(pair), "The key pair is revoked. Both keys are refused for ever.")


async def _page(
    visitor: Visit, app_id: str, environment: str, *,
    issued: IssuedPair | None = None, refused: Refused | None = None, replaced: str | None = None, form: Form | None = None,
) -> Response:  # fmt: skip
    """The tab, with the pair that was just made, or with what was refused."""
    app, pairs = await asyncio.gather(app_of(visitor, app_id), attempt(visitor.keys.pairs(app_id)))
    shown: Sequence[Pair] = [] if isinstance(pairs, Away) else [pair for pair in pairs.items if pair.environment == environment]
    now, uses = datetime.now(UTC), await uses_of(visitor, shown)
    context: dict[str, Any] = {
        "pairs": pairs, "shown": shown, "active": next((pair for pair in shown if pair.status == "active"), None),
        "ending": [pair for pair in shown if pair.status == "retiring"], "uses": uses,
        "unknown": {use.away.service: use.away for use in uses.values() if use.away},
        "suspensions": [SUSPENSIONS[reason] for reason in (shown[0].suspensions if shown else ()) if reason in SUSPENSIONS],
        "expiries": [((now + timedelta(days=days)).isoformat() if days else "", text) for days, text in EXPIRIES],
        "old": next((pair for pair in shown if pair.pair_id == replaced), None),
    }  # fmt: skip
    return visitor.page(
        "settings/keys.html", status=422 if form else _status(issued, refused), section="settings", tab="keys", app=app,
        environment=environment, issued=issued, refused=refused, standings=STANDINGS, key=new_key(), form=form or Form(), limits=LIMITS,
        **context,
    )  # fmt: skip


async def _asking(visitor: Visit, template: str, app_id: str, pair_id: str, form: Form, *, of: Sequence[str] = LIVE) -> Response:
    """A page that asks before it does something to a live pair; of one that has ended there is nothing to ask."""
    app, pair = await asyncio.gather(app_of(visitor, app_id), visitor.keys.pair(app_id, pair_id))
    if pair.status not in of and not form.wrong:
        return visitor.go(_path(pair))
    now = datetime.now(UTC)
    ends = [(seconds, text, now + timedelta(seconds=seconds)) for seconds, text in OVERLAPS]
    return visitor.page(
        template, status=422 if form.wrong else 200, section="settings", tab="keys", app=app, pair=pair, form=form,
        use=await use_of(visitor, pair), standings=STANDINGS, overlaps=ends, reasons=REASONS, ends=ENDS, key=new_key(),
    )  # fmt: skip


def _status(issued: IssuedPair | None, refused: Refused | None) -> int:
    if refused is not None:
        return refused.status
    return 410 if issued is not None and issued.secret_key is None else 200


def _path(pair: Pair) -> str:
    return f"/pay/apps/{pair.app_id}/settings/keys?environment={pair.environment}"


def _same(typed: str, name: str) -> bool:
    return unicodedata.normalize("NFC", typed.strip()) == unicodedata.normalize("NFC", name)
