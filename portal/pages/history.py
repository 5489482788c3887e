"""History: who did what to an app, and when."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Final

from fastapi import Query, Response

from portal.apis.calls import Refused, attempt
from portal.pages.frame import app_of
from portal.pages.visit import AppId, Member, PageRouter

router = PageRouter()
Cursor = Annotated[str | None, Query(max_length=1000)]

DEEDS: Final[Mapping[str, tuple[str, str]]] = {
    "registry.AppRegistered": ("Registered the app", "sparkles"),
    "registry.AppDetailsChanged": ("Changed the app's details", "pencil"),
    "registry.AppContactChanged": ("Changed the contact details", "mail"),
    "registry.AppLogoChanged": ("Changed the logo", "image"),
    "registry.AppDisabled": ("Disabled the app", "ban"),
    "registry.AppEnabled": ("Enabled the app", "circle-check"),
    "registry.AppArchived": ("Archived the app", "inbox"),
    "registry.AppRestored": ("Restored the app", "refresh-cw"),
    "registry.DomainAdded": ("Added a domain", "globe"),
    "registry.DomainVerified": ("Verified a domain", "shield-check"),
    "registry.DomainRemoved": ("Removed a domain", "trash-2"),
}
"""What the registry's events say to a person, and the icon beside it; one that is not here is shown by its own name."""


@router.get("/pay/apps/{app_id}/history")
async def history_page(visitor: Member, app_id: AppId, cursor: Cursor = None) -> Response:
    """The newest first, in pages."""
    try:
        app, history = await asyncio.gather(app_of(visitor, app_id), attempt(visitor.registry.history(app_id, cursor=cursor)))
    except Refused as refused:
        if refused.code != "request.bad_cursor":
            raise
        return visitor.go(f"/pay/apps/{app_id}/history")
    return visitor.page("history.html", section="history", app=app, history=history, deeds=DEEDS, first=cursor is None)
