"""What identity's processes are told, in environment variables that begin with IDENTITY_."""

from typing import Annotated, Final

from pydantic import AfterValidator, Field, ValidationInfo

from services.identity.mail import Tls
from shared.settings import ServiceSettings

PREFIX: Final = "IDENTITY_"


def _smtp_password(value: str, told: ValidationInfo) -> str:
    if bool(value) != bool(told.data.get("smtp_user")):
        raise ValueError("goes with SMTP_USER: set both or none")
    return value


class Settings(ServiceSettings):
    """What every service has, where mails go, and how much is allowed at once.

    `smtp_tls`: "auto" uses STARTTLS when the server offers it, and insists on it when there is a user; "implicit" is TLS at once.
    `signing_key` is the number of the key that tokens are signed with: raise it by one to rotate. Attempts are counted per 300 seconds.
    """

    port: int = 8001
    smtp_host: str
    smtp_port: int = 25
    smtp_user: str = ""
    smtp_password: Annotated[str, Field(repr=False, validate_default=True), AfterValidator(_smtp_password)] = ""
    smtp_tls: Tls = "auto"
    smtp_ca_file: str = ""
    mail_from: str
    signing_key: Annotated[int, Field(ge=1)] = 1
    hash_threads: Annotated[int, Field(ge=1, le=64)] = 2
    hash_waiting: Annotated[int, Field(ge=0, le=1_000)] = 64
    new_passwords_per_ip: Annotated[int, Field(ge=3)] = 60
    attempts_per_ip: Annotated[int, Field(ge=3)] = 300
    attempts_per_account: Annotated[int, Field(ge=3)] = 30
