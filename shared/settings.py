"""What a service reads from its environment: once, at start, whole or not at all."""

import base64
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Self
from urllib.parse import parse_qs, urlsplit

from latchkey.access import KafkaAccess
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, ValidationInfo

MASTER_KEY_BYTES: Final = 32
_SHORTEST: Final = 16  # characters of a password
_WEAKEST: Final = 8  # different byte values: 32 random bytes have fewer than this once in 10^40 draws


class SettingsWrong(SystemExit):
    """The process cannot start; the text has one sentence for each variable that is missing or wrong, and never a value."""


def _key(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        key = base64.b64decode(value, validate=True)
    except ValueError:
        raise ValueError(f"must be base64 of {MASTER_KEY_BYTES} random bytes") from None
    if len(key) != MASTER_KEY_BYTES:
        raise ValueError(f"must be base64 of {MASTER_KEY_BYTES} random bytes, not of {len(key)}")
    if len(set(key)) < _WEAKEST:
        raise ValueError("is not random; make one with: head -c 32 /dev/urandom | base64")
    return key


def _database(value: str) -> str:
    """Refuse what asyncpg would only stumble over later: a guessable password, and a passfile that it would silently not use."""
    url = urlsplit(value)
    if url.password is not None and len(url.password) < _SHORTEST:
        raise ValueError(f"has a password of fewer than {_SHORTEST} characters")
    for passfile in map(Path, parse_qs(url.query).get("passfile", ())):
        try:
            passfile.read_bytes()
        except OSError as error:
            raise ValueError(f"names a passfile that cannot be read ({error.strerror})") from None
        if passfile.stat().st_mode & 0o077:
            raise ValueError("names a passfile that others may read, so it would not be used: chmod 600")
    return value


def _kafka_password(value: str | None, told: ValidationInfo) -> str | None:
    if told.data.get("kafka_user") and len(value or "") < _SHORTEST:
        raise ValueError(f"must have at least {_SHORTEST} characters, because KAFKA_USER is set")
    return value


Secret = Annotated[str, Field(min_length=1, repr=False)]
DatabaseUrl = Annotated[str, Field(min_length=1), AfterValidator(_database)]
RandomKey = Annotated[bytes, BeforeValidator(_key)]
MasterKey = Annotated[RandomKey, Field(repr=False)]


class ServerSettings(BaseModel):
    """The settings of every process that serves HTTP. Who serves adds its fields in a subclass; the variable of `port` is `<PREFIX>PORT`.

    Everything without a default is required. Each may come from a file named by `<VARIABLE>_FILE` instead, when that is not empty.
    Ports end at 63,535, because the internal ones lie 1,000 (main) and 2,000 (worker) above.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=63_535)]
    trusted_proxies: str = ""
    drain_seconds: Annotated[float, Field(ge=0, le=60)] = 0.0
    graceful_seconds: Annotated[int, Field(ge=1, le=300)] = 20

    @classmethod
    def from_env(cls, prefix: str, environ: Mapping[str, str] | None = None) -> Self:
        """Read `<prefix><FIELD>` for every field. Raises SettingsWrong (exit status 1, the sentences on stderr)."""
        environ = os.environ if environ is None else environ
        values: dict[str, Any] = {}
        wrong: list[str] = []
        for field in cls.model_fields:
            try:
                value = _read(f"{prefix}{field.upper()}", environ)
            except OSError as error:
                wrong.append(f"{prefix}{field.upper()}_FILE names a file that cannot be read ({error.strerror}).")
                value = None
            if value is not None:
                values[field] = value
        try:
            settings = cls.model_validate(values)
        except ValidationError as error:
            wrong += [_sentence(prefix, fault["loc"], fault["type"], fault["msg"]) for fault in error.errors(include_input=False)]
            raise SettingsWrong("\n".join(wrong)) from None
        if wrong:
            raise SettingsWrong("\n".join(wrong))
        return settings


class ServiceSettings(ServerSettings):
    """The settings that every service has.

    `feed_client_…` is a service client that may read the feeds of the services this one listens to, at their `…_url`: with it, what Kafka
    no longer holds is read there.
    """

    database_url: Annotated[DatabaseUrl, Field(repr=False)]
    owner_database_url: Annotated[DatabaseUrl | None, Field(repr=False)] = None
    read_database_url: Annotated[DatabaseUrl, Field(repr=False)]
    redis_url: Secret
    kafka_bootstrap: str
    kafka_user: str | None = None
    kafka_password: Annotated[str | None, Field(repr=False, validate_default=True), AfterValidator(_kafka_password)] = None
    kafka_password_file: Path | None = None
    kafka_tls: bool = False
    kafka_ca_file: Annotated[Path | None, BeforeValidator(lambda given: given or None)] = None
    identity_url: str
    registry_url: str | None = None
    keys_url: str | None = None
    feed_client_id: str | None = None
    feed_client_secret: Annotated[str | None, Field(repr=False)] = None
    master_key: MasterKey

    @property
    def kafka(self) -> KafkaAccess:
        """Where Kafka is and who this service is there. A password that came from a file is read again for each client."""
        password = self.kafka_password_file or self.kafka_password or ""
        return KafkaAccess(self.kafka_bootstrap, self.kafka_user, password, self.kafka_tls, self.kafka_ca_file)


def _read(name: str, environ: Mapping[str, str]) -> str | None:
    if file := environ.get(f"{name}_FILE"):
        return Path(file).read_text(encoding="utf-8").rstrip("\r\n")
    return environ.get(name)


def _sentence(prefix: str, loc: tuple[int | str, ...], kind: str, message: str) -> str:
    name = f"{prefix}{'.'.join(map(str, loc)).upper()}"
    if kind == "missing":
        return f"{name} is not set (nor {name}_FILE)."
    return f"{name}: {message.removeprefix('Value error, ')}."
