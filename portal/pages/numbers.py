"""What the pages of an app's numbers share: the app, its keys to choose from, and the form of the filters."""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

from portal import filters as known
from portal.apis.calls import Away, attempt
from portal.apis.keys import Pair, Pairs
from portal.apis.registry import App
from portal.filters import Filters
from portal.forms import Form
from portal.pages.frame import Unnamed, app_of
from portal.pages.visit import Visit

T = TypeVar("T")


async def gathered(visitor: Visit, app_id: str, own: Awaitable[T]) -> tuple[App | Unnamed, Pairs | Away, T]:
    """The app, its keys, and what the page itself shows, asked for at the same time."""
    return await asyncio.gather(app_of(visitor, app_id), attempt(visitor.keys.pairs(app_id)), own)


def context(
    visitor: Visit, app_id: str, filters: Filters, errors: Mapping[str, str], pairs: Pairs | Away | None = None, page: str = ""
) -> dict[str, Any]:
    """What the templates of the filters need. Times are in the zone of the filters."""
    zones = sorted({*known.ZONES, filters.zone, visitor.session.zone})
    of_app = [] if pairs is None or isinstance(pairs, Away) else [(pair.pair_id, _name(pair)) for pair in pairs.items]
    return {
        "app_id": app_id, "here": f"/pay/apps/{app_id}{page}", "filters": filters, "zone": filters.zone, "pairs": pairs,
        "form": Form(filters.fields(), errors),
        "choices": {
            "presets": known.PRESETS, "statuses": known.STATUSES, "kinds": known.KINDS, "environments": known.ENVIRONMENTS,
            "zones": [(zone, zone.replace("_", " ")) for zone in zones], "pairs": of_app,
        },
    }  # fmt: skip


def _name(pair: Pair) -> str:
    return f"{pair.environment.capitalize()} …{pair.public_key[-6:]} ({pair.status})"
