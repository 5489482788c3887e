"""What the registry's processes are told, in environment variables that begin with REGISTRY_."""

from typing import Final

from shared.settings import ServiceSettings

PREFIX: Final = "REGISTRY_"


class Settings(ServiceSettings):
    """What every service has; registry needs nothing of its own."""

    port: int = 8002
