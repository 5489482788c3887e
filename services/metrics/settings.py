"""What metrics' processes are told, in environment variables that begin with METRICS_."""

from typing import Annotated, Final

from pydantic import Field

from shared.settings import ServiceSettings

PREFIX: Final = "METRICS_"


class Settings(ServiceSettings):
    """What every service has, and how old the table of keys may be before nothing is accepted (milliseconds)."""

    port: int = 8004
    verifier_bound_ms: Annotated[int, Field(ge=100, le=60_000)] = 1_000
