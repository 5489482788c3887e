"""Settings, Payment Gateway Settings: how transactions come in, ready to copy, and keys that were refused in browsers."""

import asyncio

from fastapi import Response

from portal.apis.calls import Away, attempt
from portal.numbers import heard
from portal.pages.frame import app_of
from portal.pages.visit import AppId, Member, PageRouter

router = PageRouter()


@router.get("/pay/apps/{app_id}/settings/gateway")
async def gateway_page(visitor: Member, app_id: AppId) -> Response:
    """S41."""
    app, pairs, domains, refusals = await asyncio.gather(
        app_of(visitor, app_id), attempt(visitor.keys.pairs(app_id)), attempt(visitor.registry.domains(app_id)),
        heard(visitor.metrics.refusals(app_id)),
    )  # fmt: skip
    active = [] if isinstance(pairs, Away) else [pair for pair in pairs.items if pair.status == "active"]
    return visitor.page(
        "settings/gateway.html", section="settings", tab="gateway", app=app, pairs=pairs, refusals=refusals, domains=domains,
        pair=next((pair for pair in active if pair.environment == "live"), active[0] if active else None),
        verified=[] if isinstance(domains, Away) else [domain.domain for domain in domains if domain.verified_at],
        endpoint=visitor.transactions_url,
    )  # fmt: skip
