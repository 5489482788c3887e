"""The frame of an app's pages: whose app it is, for the sidebar and the title, also while the registry is away."""

from dataclasses import dataclass

from portal.apis.calls import Away, attempt
from portal.apis.registry import App
from portal.pages.visit import Visit


@dataclass(frozen=True, slots=True)
class Unnamed:
    """An app of which nothing but the id is known, because the registry is away."""

    app_id: str
    away: Away
    logo_hash: None = None
    status: str = "unknown"

    @property
    def name(self) -> str:
        """What the page calls it."""
        return self.app_id


async def app_of(visitor: Visit, app_id: str) -> App | Unnamed:
    """The visitor's app. Raises Refused for an app of somebody else."""
    found = await attempt(visitor.registry.app(app_id))
    return Unnamed(app_id, found) if isinstance(found, Away) else found
