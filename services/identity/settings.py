"""What identity's processes are told, in environment variables that begin with IDENTITY_."""

from typing import Annotated, Final

from pydantic import Field

from shared.settings import ServiceSettings

PREFIX: Final = "IDENTITY_"


class Settings(ServiceSettings):
    """What every service has, where mails go, and how much is allowed at once.

    `signing_key` is the number of the key that tokens are signed with: raise it by one to rotate. Attempts are counted per 300 seconds.
    """

    port: int = 8001
    smtp_host: str
    smtp_port: int = 25
    mail_from: str
    signing_key: Annotated[int, Field(ge=1)] = 1
    hash_threads: Annotated[int, Field(ge=1, le=64)] = 2
    hash_waiting: Annotated[int, Field(ge=0, le=1_000)] = 64
    attempts_per_ip: Annotated[int, Field(ge=3)] = 300
    attempts_per_account: Annotated[int, Field(ge=3)] = 30
