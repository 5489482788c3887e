"""Settings, Domain: the domains of an app, the record that proves each, and their end."""

import asyncio
from typing import Annotated

from fastapi import Path, Response

from portal.apis.calls import Away, Refused, attempt
from portal.forms import Form, key_of, new_key
from portal.pages.frame import app_of
from portal.pages.visit import AppId, Fields, Member, PageRouter, Visit

router = PageRouter()
Domain = Annotated[str, Path(pattern=r"^[0-9a-z.-]{1,253}$")]


@router.get("/pay/apps/{app_id}/settings/domains")
async def domains_page(visitor: Member, app_id: AppId) -> Response:
    """S41."""
    return await _page(visitor, app_id, Form())


@router.post("/pay/apps/{app_id}/settings/domains")
async def add(visitor: Member, app_id: AppId, sent: Fields) -> Response:
    """Say that a domain is ours; the page then shows the record that proves it."""
    form = Form.sent(sent, ("domain",))
    try:
        added = await visitor.registry.add_domain(app_id, form["domain"].strip(), key=key_of(sent))
    except Refused as refused:
        return await _page(visitor, app_id, form.refused(refused, {"string_too_short": "Enter a domain, like shop.example."}))
    return visitor.go(_path(app_id), f"{added.domain} is added. Set its TXT record, then verify it.")


@router.post("/pay/apps/{app_id}/settings/domains/{domain}/verify")
async def verify(visitor: Member, app_id: AppId, domain: Domain) -> Response:
    """Look for the record now."""
    try:
        await visitor.registry.verify_domain(app_id, domain)
    except (Refused, Away) as failed:
        return await _page(visitor, app_id, Form(), unproven=domain, why=_why(failed))
    return visitor.go(_path(app_id), f"{domain} is verified. The app's public keys now work on its pages.")


@router.get("/pay/apps/{app_id}/settings/domains/{domain}/remove")
async def remove_page(visitor: Member, app_id: AppId, domain: Domain) -> Response:
    """Ask first: a verified domain may be the last one on which a public key works."""
    app, domains = await asyncio.gather(app_of(visitor, app_id), visitor.registry.domains(app_id))
    found = next((one for one in domains if one.domain == domain), None)
    if found is None:
        return visitor.go(_path(app_id))
    verified = [one.domain for one in domains if one.verified_at]
    return visitor.page(
        "settings/remove_domain.html", section="settings", tab="domains", app=app, domain=found, last=verified == [domain], form=Form()
    )


@router.post("/pay/apps/{app_id}/settings/domains/{domain}/remove")
async def remove(visitor: Member, app_id: AppId, domain: Domain) -> Response:
    """The domain is the app's no longer."""
    try:
        await visitor.registry.remove_domain(app_id, domain)
    except Refused as refused:
        return await _page(visitor, app_id, Form().refused(refused))
    return visitor.go(_path(app_id), f"{domain} is removed.")


async def _page(visitor: Visit, app_id: str, form: Form, *, unproven: str = "", why: str = "") -> Response:
    app, domains = await asyncio.gather(app_of(visitor, app_id), attempt(visitor.registry.domains(app_id)))
    return visitor.page(
        "settings/domains.html", status=422 if form.wrong else 409 if unproven else 200, section="settings", tab="domains", app=app,
        domains=domains, form=form, unproven=unproven, why=why, key=new_key(),
    )  # fmt: skip


def _why(failed: Refused | Away) -> str:
    return failed.sentence if isinstance(failed, Away) else failed.problem.title


def _path(app_id: str) -> str:
    return f"/pay/apps/{app_id}/settings/domains"
