"""History: who did what to an app, and when."""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Final, Literal

from fastapi import Query, Response

from portal.apis.calls import Refused, attempt
from portal.pages.frame import app_of
from portal.pages.visit import AppId, Member, PageRouter

router = PageRouter()
Of = Literal["app", "keys"]
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
    "keys.KeyPairGenerated": ("Generated a key pair", "key-round"),
    "keys.KeySecretRevealed": ("Saw the secret key", "eye"),
    "keys.KeyRotated": ("Regenerated the key", "rotate-ccw-key"),
    "keys.KeyRotationFinished": ("The overlap ended", "clock"),
    "keys.KeyRotationRolledBack": ("Went back to the keys before", "rotate-ccw-key"),
    "keys.KeyDisabled": ("Disabled the key pair", "ban"),
    "keys.KeyEnabled": ("Enabled the key pair", "circle-check"),
    "keys.KeyRevoked": ("Revoked the key pair", "trash-2"),
    "keys.KeyExpired": ("The key pair expired", "clock"),
    "keys.KeyringSuspended": ("All keys were suspended", "ban"),
    "keys.KeyringResumed": ("All keys work again", "circle-check"),
}
"""What the events say to a person, and the icon beside it; one that is not here is shown by its own name."""


@router.get("/pay/apps/{app_id}/history")
async def history_page(visitor: Member, app_id: AppId, of: Of = "app", cursor: Cursor = None) -> Response:
    """The newest first, in pages: of the app itself, or of its keys."""
    service = visitor.registry if of == "app" else visitor.keys
    try:
        app, history = await asyncio.gather(app_of(visitor, app_id), attempt(service.history(app_id, cursor=cursor)))
    except Refused as refused:
        if refused.code != "request.bad_cursor":
            raise
        return visitor.go(f"/pay/apps/{app_id}/history?of={of}")
    return visitor.page("history.html", section="history", app=app, history=history, deeds=DEEDS, of=of, first=cursor is None)
