"""What the keys service's processes are told, in environment variables that begin with KEYS_."""

from typing import Annotated, Final

from pydantic import Field

from shared.settings import ServiceSettings

PREFIX: Final = "KEYS_"


class Settings(ServiceSettings):
    """What every service has, and the verifiers' bound: a key that was revoked longer ago than that is refused everywhere."""

    port: Annotated[int, Field(ge=1, le=63_535)] = 8003
    verifier_bound_ms: Annotated[int, Field(ge=100, le=60_000)] = 1_000

    @property
    def bound_seconds(self) -> float:
        """The bound in seconds."""
        return self.verifier_bound_ms / 1000
