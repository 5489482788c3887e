"""Kafka's users, what each may do, and the topics of the public contract."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.protocol.admin import CreateAclsRequest
from latchkey.access import KafkaAccess, options
from latchkey.topics import TOPICS

from deploy.scram import AlterScramCredentials
from deploy.vault import BY_NAME, Vault
from deploy.who import RIGHTS, SERVICES, KafkaRights
from stack.topics import make_topics
from stack.trouble import Trouble

# Numbers of Kafka's protocol.
_TOPIC, _GROUP = 2, 3
_LITERAL, _PREFIXED = 3, 4
_READ, _WRITE, _DESCRIBE = 3, 4, 8
_ALLOW = 3
Acl = tuple[int, str, int, int]
"""Kind of resource, its name, how the name is matched, the operation."""


def access(bootstrap: str, vault: Vault, *, tls: bool, ca_file: Path | None = None) -> KafkaAccess:
    """Return the administrator's way in: a listener of its own, where no service has a user."""
    return KafkaAccess(bootstrap, "admin", vault.read("kafka.admin"), tls=tls, ca_file=ca_file, mechanism="PLAIN")


async def prepare(kafka: KafkaAccess, vault: Vault) -> None:
    """Make the topics, set every user's password, and grant what is missing. Done twice is done once. Raises Trouble when Kafka refuses."""
    await make_topics(kafka, TOPICS)
    await admit(kafka, {service: vault.read(f"kafka.{service}") for service in SERVICES}, RIGHTS)


async def rotate(kafka: KafkaAccess, vault: Vault) -> list[str]:
    """Give each service another password; return the users' names. Connections that are open stay open, new ones read the file."""
    for service in SERVICES:
        word = BY_NAME[f"kafka.{service}"].make()
        await admit(kafka, {service: word}, {})
        vault.replace(f"kafka.{service}", word)
    return list(SERVICES)


async def admit(kafka: KafkaAccess, passwords: Mapping[str, str], rights: Mapping[str, KafkaRights]) -> None:
    """Set these users' passwords and grant them these rights. Raises Trouble when Kafka refuses."""
    admin = AIOKafkaAdminClient(**options(kafka))
    await admin.start()
    try:
        answer = await admin._send_to_controller(AlterScramCredentials(dict(passwords)))  # noqa: SLF001 - it has no public way to send a request
        _accepted((code, text) for _, code, text, *_ in answer.results)
        for user, may in rights.items():
            for kind, name, pattern, operation in acls(may):
                request = CreateAclsRequest(kind, name, pattern, f"User:{user}", "*", operation, _ALLOW)
                granted = await admin._send_to_controller(request)  # noqa: SLF001 - as above
                _accepted((code, text) for code, text, *_ in granted.creation_responses)
    finally:
        with suppress(Exception):
            await admin.close()


def acls(may: KafkaRights) -> Iterator[Acl]:
    """Return what these rights are in Kafka's words. To write a topic is to read it too: a relay looks at what it sent."""
    if may.owns is not None:
        yield from ((_TOPIC, may.owns, _PREFIXED, operation) for operation in (_WRITE, _READ, _DESCRIBE))
    yield from ((_TOPIC, topic, _LITERAL, operation) for topic in may.listens_to for operation in (_READ, _DESCRIBE))
    yield _GROUP, may.groups, _PREFIXED, _READ


def _accepted(answers: Iterator[tuple[int, str]]) -> None:
    for code, text in answers:
        if code:
            raise Trouble(f"Kafka refused to set a user's password or rights: error {code} {text or ''}".rstrip())
