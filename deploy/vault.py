"""The secrets of an installation: made once, strong, checked at each start, and laid out so that each process can read its own only."""

import base64
import os
import re
import secrets
import string
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from deploy.who import ADMIN, KAFKA, OWNERS, POSTGRES, REDIS, ROLES, SERVICES, UIDS, feeds_of
from stack.trouble import Trouble

_PASSWORD = re.compile(r"[A-Za-z0-9_-]{24,200}")
_CLIENT = re.compile(r"svc_[A-Za-z0-9]{22}:[A-Za-z0-9_-]{43,200}")
_NUMBER = re.compile(r"[1-9][0-9]{0,5}")
_LETTERS = string.ascii_letters + string.digits
_FEWEST = 8  # different characters; of 43 random ones there are fewer once in 10^40 draws
_KEY_BYTES = 32
_REDIS_BASICS = "+ping +auth +hello +select +reset"
_REDIS_USERS = {
    "identity": f"~limit:* &wake:identity {_REDIS_BASICS} +set +incr +ttl +multi +exec +discard +publish +subscribe +unsubscribe",
    **{
        service: f"resetkeys &wake:{service} {_REDIS_BASICS} +publish +subscribe +unsubscribe"
        for service in ("registry", "keys", "metrics")
    },
    "health": "resetkeys resetchannels +ping",
}


@dataclass(frozen=True)
class Secret:
    """One secret: `kind` says how it is made and what is too weak."""

    name: str
    kind: str

    def make(self) -> str:
        """Return a new one."""
        match self.kind:
            case "key" | "keys":
                return base64.b64encode(secrets.token_bytes(_KEY_BYTES)).decode()
            case "client":
                return f"svc_{''.join(secrets.choice(_LETTERS) for _ in range(22))}:{secrets.token_urlsafe(_KEY_BYTES)}"
            case "number":
                return "1"
            case _:
                return secrets.token_urlsafe(_KEY_BYTES)

    def check(self, text: str) -> None:
        """Raise Trouble, with a sentence that does not show it, when it is no such secret or one that can be guessed."""
        match self.kind:
            case "key":
                good, needs = _is_key(text), "base64 of 32 random bytes (head -c 32 /dev/urandom | base64)"
            case "keys":
                good, needs = all(map(_is_key, text.split(","))), "base64 of 32 random bytes, or several of them with commas between"
            case "client":
                good = bool(_CLIENT.fullmatch(text)) and len(set(text.partition(":")[2])) >= _FEWEST
                needs = "svc_, 22 letters and digits, a colon, and 43 or more random letters, digits, - and _"
            case "number":
                good, needs = bool(_NUMBER.fullmatch(text)), "a whole number from 1"
            case _:
                good = bool(_PASSWORD.fullmatch(text)) and len(set(text)) >= _FEWEST
                needs = "24 to 200 random letters, digits, - and _"
        if not good:
            raise Trouble(f"The secret {self.name} is too weak or malformed: it must be {needs}.")


def _is_key(text: str) -> bool:
    try:
        key = base64.b64decode(text, validate=True)
    except ValueError:
        return False
    return len(key) == _KEY_BYTES and len(set(key)) >= _FEWEST


SECRETS = (
    Secret("postgres.superuser", "password"),
    *(Secret(f"postgres.{service}_{role}", "password") for service in SERVICES for role in ROLES),
    Secret("kafka.admin", "password"),
    *(Secret(f"kafka.{service}", "password") for service in SERVICES),
    *(Secret(f"redis.{user}", "password") for user in _REDIS_USERS),
    *(Secret(f"{service}.master_key", "key") for service in SERVICES),
    *(Secret(f"feed.{service}", "client") for service in SERVICES if feeds_of(service)),
    Secret("portal.session_keys", "keys"),
    Secret("identity.signing_key", "number"),
)  # fmt: skip
BY_NAME = {secret.name: secret for secret in SECRETS}


@dataclass(frozen=True)
class Vault:
    """The volume `root`, `given`, a folder whose files (named as the secrets) stand in place of what would be made, and where Redis is.

    `redis_ca` is a path in the services' containers: the authorities of a Redis that speaks TLS, in place of the system's.
    """

    root: Path
    given: Path
    redis: str = "redis:6379"
    redis_tls: bool = False
    redis_ca: str = ""

    def fill(self) -> int:
        """Make what is missing, check everything, lay it out; return how many were made. Raises Trouble with a sentence.

        Filled twice is filled once. A secret that was made before and is gone is not made again: what it sealed would stay shut.
        """
        _folder(self.root, 0, 0o755)
        _folder(self._admin, ADMIN, 0o700)
        made, before = 0, self._made_before()
        for secret in SECRETS:
            kept, given = self._admin / secret.name, self.given / secret.name
            if given.is_file():
                secret.check(given.read_text("utf-8").strip())
                self._keep(secret, given.read_text("utf-8").strip())
            elif not kept.exists():
                if secret.name in before:
                    raise Trouble(f"The secret {secret.name} was made before and is gone: bring it back from the backup of the secrets.")
                self._keep(secret, secret.make())
                made += 1
            secret.check(self.read(secret.name))
        _write(self._admin / "complete", "\n".join(BY_NAME), ADMIN)
        self.lay_out()
        return made

    def client(self, service: str) -> tuple[str, str]:
        """Return the id and the secret with which a service reads the feeds of others."""
        client_id, _, word = self.read(f"feed.{service}").partition(":")
        return client_id, word

    def read(self, name: str) -> str:
        """Return a secret."""
        return (self._admin / name).read_text("utf-8")

    def replace(self, name: str, text: str) -> None:
        """Keep another secret under this name, and lay it out. Raises Trouble for a weak one and for one that is given from outside."""
        if (self.given / name).exists():
            raise Trouble(f"The secret {name} is given as a file: change that file and run `docker compose up --wait`.")
        BY_NAME[name].check(text)
        self._keep(BY_NAME[name], text)
        self.lay_out()

    def passfile(self, *roles: str) -> str:
        """Return what asyncpg and libpq read: a line for each role."""
        return "".join(f"*:*:*:{role}:{self.read(f'postgres.{role}')}\n" for role in roles)

    def lay_out(self) -> None:
        """Write what each process reads, each file whole at once and readable by its user alone."""
        for folder, uid, name, text in self._files():
            _folder(self.root / folder, uid, 0o750)  # the group is the service's, which its operators are in
            # libpq and asyncpg refuse a passfile that a group may read; the rest is for the service and its operators.
            _write(self.root / folder / name, text, uid, 0o600 if name == "pgpass" else 0o440)

    def _files(self) -> Iterator[tuple[str, int, str, str]]:
        for service in SERVICES:
            uid = UIDS[service]
            yield service, uid, "pgpass", self.passfile(f"{service}_app", f"{service}_read")
            yield service, uid, "master_key", self.read(f"{service}.master_key")
            yield service, uid, "kafka_password", self.read(f"kafka.{service}")
            yield service, uid, "redis_url", self._redis_url(service)
            yield f"{service}-owner", OWNERS[service], "pgpass", self.passfile(*(f"{service}_{role}" for role in ROLES))
            if feeds_of(service):
                yield service, uid, "feed_client_id", self.client(service)[0]
                yield service, uid, "feed_client_secret", self.client(service)[1]
        yield "identity-owner", OWNERS["identity"], "feed_clients", self._feed_clients()
        yield "identity", UIDS["identity"], "signing_key", self.read("identity.signing_key")
        yield "portal", UIDS["portal"], "session_keys", self.read("portal.session_keys")
        yield "postgres", POSTGRES, "password", self.read("postgres.superuser")
        yield "kafka", KAFKA, "jaas.conf", _jaas(self.read("kafka.admin"))
        yield "redis", REDIS, "users.acl", self._redis_users()
        yield "redis", REDIS, "health", self.read("redis.health")
        yield "admin", ADMIN, "pgpass", f"*:*:*:postgres:{self.read('postgres.superuser')}\n"

    def _redis_url(self, service: str) -> str:
        url = f"{'rediss' if self.redis_tls else 'redis'}://{service}:{self.read(f'redis.{service}')}@{self.redis}/0"
        return f"{url}?ssl_ca_certs={self.redis_ca}" if self.redis_tls and self.redis_ca else url

    def _redis_users(self) -> str:
        users = (f"user {user} on #{sha256(self.read(f'redis.{user}').encode()).hexdigest()} {may}" for user, may in _REDIS_USERS.items())
        return "\n".join(("user default off", *users)) + "\n"

    def _feed_clients(self) -> str:
        """What identity is told of them: it needs no secret to know one again."""
        lines = []
        for service in filter(feeds_of, SERVICES):
            client_id, word = self.client(service)
            scopes = ",".join(f"feed:{other}" for other in feeds_of(service))
            lines.append(f"{service} {client_id} {sha256(word.encode()).hexdigest()} {scopes}\n")
        return "".join(lines)

    def _made_before(self) -> list[str]:
        """The names of what an earlier start made; a release that brings another secret makes that one."""
        complete = self._admin / "complete"
        return complete.read_text("utf-8").splitlines() if complete.exists() else []

    def _keep(self, secret: Secret, text: str) -> None:
        _write(self._admin / secret.name, text, ADMIN)

    @property
    def _admin(self) -> Path:
        return self.root / "admin"


def _jaas(password: str) -> str:
    return (
        "KafkaServer {\n"
        "  org.apache.kafka.common.security.plain.PlainLoginModule required\n"
        f'    username="admin" password="{password}" user_admin="{password}";\n'
        "  org.apache.kafka.common.security.scram.ScramLoginModule required;\n"
        "};\n"
    )


def _folder(path: Path, uid: int, mode: int) -> None:
    path.mkdir(exist_ok=True)
    os.chown(path, uid, uid)
    path.chmod(mode)


def _write(path: Path, text: str, uid: int, mode: int = 0o400) -> None:
    """Put the text there, whole at once; whoever reads sees the old or the new, and nobody else ever could."""
    fresh = path.with_name(f".{path.name}")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        os.fchown(file.fileno(), uid, path.parent.stat().st_gid)
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
    fresh.rename(path)
