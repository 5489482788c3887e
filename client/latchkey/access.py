"""Where Kafka is and who asks: what every client of this package is given, an address alone or with a name and a password."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka.helpers import create_ssl_context

MECHANISM = "SCRAM-SHA-512"


@dataclass(frozen=True, slots=True)
class KafkaAccess:
    """A broker that asks who is there: the SASL user and its password, over TLS when `tls` is set.

    A password given as a path is read again for every client, and a client that is refused or hears nothing is made anew, so it can be
    changed while programs run. `ca_file` holds the
    certificates that the broker's is checked against, in place of the system's.
    """

    bootstrap: str
    user: str | None = None
    password: str | Path = field(default="", repr=False)
    tls: bool = False
    ca_file: Path | None = None
    mechanism: str = MECHANISM


def options(kafka: str | KafkaAccess) -> dict[str, Any]:
    """Return the arguments that an aiokafka client needs to get there. Raises OSError when a file of it cannot be read."""
    if isinstance(kafka, str):
        return {"bootstrap_servers": kafka}
    found: dict[str, Any] = {"bootstrap_servers": kafka.bootstrap}
    if kafka.tls:
        found["ssl_context"] = create_ssl_context(cafile=str(kafka.ca_file) if kafka.ca_file else None)
    if kafka.user is not None:
        found |= {"sasl_mechanism": kafka.mechanism, "sasl_plain_username": kafka.user, "sasl_plain_password": _password(kafka)}
    protocol = f"{'SASL_' if kafka.user is not None else ''}{'SSL' if kafka.tls else 'PLAINTEXT'}"
    return found | {"security_protocol": protocol}


def _password(kafka: KafkaAccess) -> str:
    if isinstance(kafka.password, Path):
        return kafka.password.read_text("utf-8").rstrip("\r\n")
    return kafka.password
