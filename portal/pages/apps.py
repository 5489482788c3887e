"""Latchkey Pay: the list of apps, Register an App, editing one, its switch and its logo."""

import asyncio
import base64
from typing import Annotated, Final

from fastapi import Path, Response
from fastapi.responses import JSONResponse
from starlette.datastructures import FormData, UploadFile

from portal.apis.calls import Away, Refused, attempt
from portal.apis.registry import App
from portal.forms import Form, key_of, new_key, version_of
from portal.lists import SORTS, Listing
from portal.pages.places import Chosen
from portal.pages.visit import AppId, Fields, Member, PageRouter, Visit

router = PageRouter()

FIELDS: Final = ("name", "email", "address", "phone", "country", "state", "city", "postal_code")
LABELS: Final = {
    "logo": "App logo", "name": "App Name", "email": "Email", "address": "Address", "phone": "Phone Number", "country": "Country",
    "state": "State", "city": "City", "postal_code": "Zip Code/Postal Code",
}  # fmt: skip
MOST_LOGO_BYTES: Final = 102_400
_SENTENCES: Final = {
    "registry.logo_too_large": "The logo is larger than 100 KB. Choose a smaller one.",
    "registry.logo_type": "The logo must be a JPG, JPEG or PNG picture.",
    "registry.name_taken": "You have an app with this name already. Choose another one.",
    "registry.not_subscribed": "Subscribe to Latchkey Pay under Applications first.",
    "idempotency.key_reused": "This form has registered an app before. Check the list of your apps; send it again to register one more.",
    "resource.version_mismatch": "Somebody changed this app since you opened the form. Load the page anew to see how it is now.",
}


@router.get("/pay")
async def apps(visitor: Member) -> Response:
    """S11, S15, S16, S31, S33."""
    registry, listing = visitor.registry, Listing.read(visitor.request.query_params)
    asked = registry.apps(q=listing.q, sort=listing.sort, cursor=listing.cursor)
    found, products = await asyncio.gather(attempt(asked), attempt(registry.catalog()))
    subscribed = isinstance(products, Away) or any(product.subscribed for product in products)
    names = {} if isinstance(found, Away) else {app.country: await visitor.places.name(registry, app.country) for app in found.items}
    return visitor.page("apps/list.html", section="pay", apps=found, listing=listing, sorts=SORTS, countries=names, subscribed=subscribed)


@router.get("/pay/apps/new")
async def new_app(visitor: Member) -> Response:
    """S17 to S28: the page Register an App."""
    return await _form_page(visitor, Form(dict.fromkeys(FIELDS, "")))


@router.post("/pay/apps/new")
async def register(visitor: Member, sent: Fields) -> Response:
    """S29, S32. Without JavaScript the country's states come by a button of the form."""
    form, key = Form.sent(sent, FIELDS), key_of(sent)
    if sent.get("do") == "country":
        return await _form_page(visitor, form, key=key)
    logo = await _logo(sent)
    try:
        app = await visitor.registry.register(form.given() | _shown(logo), key=key)
    except (Refused, Away) as refused:
        used = isinstance(refused, Refused) and refused.code == "idempotency.key_reused"
        return await _form_page(visitor, _marked(form, refused), status=422, key="" if used else key)
    return visitor.go("/pay", f"{app.name} is registered. Open it to generate its API key.")


@router.get("/pay/apps/{app_id}/edit")
async def edit_page(app_id: AppId, visitor: Member) -> Response:
    """The form of an app that exists."""
    app = await visitor.registry.app(app_id)
    return await _form_page(visitor, Form({name: getattr(app, name) or "" for name in FIELDS}), app=app)


@router.post("/pay/apps/{app_id}/edit")
async def edit(app_id: AppId, visitor: Member, sent: Fields) -> Response:
    """Change what differs, logo and all, or nothing."""
    form, app = Form.sent(sent, FIELDS), await visitor.registry.app(app_id)
    if sent.get("do") == "country":
        return await _form_page(visitor, form, app=app)
    logo = await _logo(sent)
    try:
        app = await visitor.registry.change(app_id, form.given() | _shown(logo, removed=bool(sent.get("remove_logo"))), version_of(sent))
    except (Refused, Away) as refused:
        return await _form_page(visitor, _marked(form, refused), status=422, app=app)
    return visitor.go("/pay", f"{app.name} is saved.")


@router.post("/pay/apps/{app_id}/enabled")
async def switch(app_id: AppId, visitor: Member, sent: Fields) -> Response:
    """S33, S52."""
    if sent.get("enabled") == "yes":
        app = await visitor.registry.enable(app_id)
        return visitor.go("/pay", f"{app.name} is enabled. Its keys work.")
    app = await visitor.registry.disable(app_id)
    return visitor.go("/pay", f"{app.name} is disabled. Its keys are refused until you enable it.")


@router.get("/pay/apps/{app_id}/logo")
async def logo(app_id: AppId, visitor: Member) -> Response:
    """The picture as registry drew it anew."""
    found = await visitor.registry.logo(app_id, visitor.request.headers.get("if-none-match"))
    headers = {"etag": found.headers["etag"], "cache-control": "private, no-cache"}
    return Response(found.content, found.status_code, headers, "image/png")


@router.get("/pay/places/{country}")
async def places(country: Annotated[str, Path(pattern="^[A-Za-z]{2}$")], visitor: Member) -> Response:
    """What the form offers for a country, for the script that fills it in."""
    chosen = await visitor.places.chosen(visitor.registry, country.upper())
    found = {"calling_code": chosen.calling_code, "postal_code_example": chosen.postal_code_example, "states": _options(chosen)}
    return JSONResponse(found, headers={"cache-control": "private, max-age=86400"})


async def _form_page(visitor: Visit, form: Form, *, status: int = 200, app: App | None = None, key: str = "") -> Response:
    registry = visitor.registry
    countries, chosen = await asyncio.gather(visitor.places.countries(registry), visitor.places.chosen(registry, form["country"]))
    return visitor.page(
        "apps/form.html", status=status, section="pay", edited=app, form=form, labels=LABELS, key=key or new_key(),
        countries=[(country.code, country.name) for country in countries], states=_options(chosen), chosen=chosen,
    )  # fmt: skip


def _options(chosen: Chosen) -> list[tuple[str, str]]:
    """The states by name; one of a second level with the name of the one that it lies in."""
    names = {state.code: state.name for state in chosen.states}
    return [(state.code, f"{state.name} ({names[state.parent]})" if state.parent in names else state.name) for state in chosen.states]


def _marked(form: Form, refused: Refused | Away) -> Form:
    """The form with what is wrong; a refusal of the whole that is about one field is shown there."""
    if isinstance(refused, Away):
        return form.refused(refused)
    field = {"registry.name_taken": "name"}.get(refused.code) or ("logo" if refused.code.startswith("registry.logo") else "")
    shown = Form({"logo": "", **form.values})
    if field and not refused.problem.errors:
        return shown.with_errors({field: _SENTENCES.get(refused.code, refused.problem.title)})
    return shown.refused(refused, _SENTENCES)


async def _logo(sent: FormData) -> bytes | None:
    """The uploaded file, if there is one; of a larger one only so much that registry sees that it is too large."""
    upload = sent.get("logo")
    if not isinstance(upload, UploadFile):
        return None
    return await upload.read(MOST_LOGO_BYTES + 1) or None


def _shown(logo: bytes | None, *, removed: bool = False) -> dict[str, str | None]:
    """What the body of an app says of its logo; nothing when it stays as it is."""
    if logo is not None:
        return {"logo": base64.b64encode(logo).decode()}
    return {"logo": None} if removed else {}
