"""What the portal is told, in environment variables that begin with PORTAL_."""

from typing import Annotated, Final

from pydantic import BeforeValidator, Field

from shared.settings import RandomKey, ServerSettings

PREFIX: Final = "PORTAL_"


def _listed(value: object) -> object:
    return [key.strip() for key in value.split(",")] if isinstance(value, str) else value


class Settings(ServerSettings):
    """Where the four services are, and the keys of the session cookie. `public_metrics_url` is the address of metrics that shops use.

    `read_ms`: a service that does not answer a read in so many milliseconds is away, and the rest of the page is shown without it.
    `session_keys`: the first one seals, every one opens. To rotate, put a new key in front and drop the old one after 30 days.
    """

    port: Annotated[int, Field(ge=1, le=63_535)] = 8080
    identity_url: str
    registry_url: str
    keys_url: str
    metrics_url: str
    public_metrics_url: str | None = None
    read_ms: Annotated[int, Field(ge=100, le=60_000)] = 1_500
    session_keys: Annotated[tuple[RandomKey, ...], BeforeValidator(_listed), Field(min_length=1, repr=False)]
