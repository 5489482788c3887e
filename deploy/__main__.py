"""What prepares a deployment: `python -m deploy init | databases | kafka | rotate | consumer`; docker-compose runs the first three."""

import argparse
import asyncio
import logging
import os
import re
import secrets
import sys
from pathlib import Path

from latchkey.access import KafkaAccess

from deploy import kafka, postgres
from deploy.vault import BY_NAME, Vault
from deploy.volumes import give_volumes
from deploy.who import SERVICES, feeds_of, outsider
from stack.trouble import Trouble

_CA = os.environ.get("STORES_CA", "")
_VAULT = Vault(
    Path("/secrets"), Path("/given"), os.environ.get("REDIS", "redis:6379"), redis_tls=os.environ.get("REDIS_TLS") == "true", redis_ca=_CA
)
_SUPERUSER = "postgres://postgres@{host}/postgres?passfile=/secrets/admin/pgpass"
_NAME = re.compile(r"[a-z][a-z0-9-]{1,40}")


def main() -> int:
    """Do one command; answers the exit status: 0 done, 1 refused with a sentence."""
    parser = argparse.ArgumentParser(prog="python -m deploy", description=__doc__)
    commands = parser.add_subparsers(required=True)
    commands.add_parser("init", help="make and check the secrets, hand the volumes to who writes them").set_defaults(does=_init)
    commands.add_parser("databases", help="make databases and roles").set_defaults(does=_databases)
    commands.add_parser("kafka", help="make topics, users and their rights").set_defaults(does=_kafka)
    rotate = commands.add_parser("rotate", help="make other secrets in place of those in use")
    rotate.add_argument("what", choices=_ROTATES)
    rotate.set_defaults(does=lambda chosen: _ROTATES[chosen.what]())
    consumer = commands.add_parser("consumer", help="let another team's service read the public topics; its password is shown this once")
    consumer.add_argument("name")
    consumer.add_argument("--verifier", action="store_true", help="it may also judge keys")
    consumer.set_defaults(does=_consumer)
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)  # aiokafka warns of each PLAIN sign-in, which here never leaves the stores' network
    try:
        chosen.does(chosen)
    except Trouble as trouble:
        print(f"✗ {trouble}", file=sys.stderr)
        return 1
    return 0


def _init(_: argparse.Namespace) -> None:
    if _CA and os.environ.get("PGSSLMODE") == "prefer":
        raise Trouble(
            "STORES_CA_FILE is given, but by POSTGRES_SSLMODE=prefer nobody looks at PostgreSQL's certificate: "
            "say verify-full, or disable where it speaks no TLS."
        )
    give_volumes(_VAULT.root, Path("/data"))
    made = _VAULT.fill()
    print(f"{len(BY_NAME)} secrets are in place, {made} of them made now.")


def _databases(_: argparse.Namespace) -> None:
    asyncio.run(postgres.prepare(_superuser(), _VAULT))
    print("The databases and their roles are in place.")


def _kafka(_: argparse.Namespace) -> None:
    asyncio.run(kafka.prepare(_access(), _VAULT))
    print("The topics, the users and their rights are in place.")


def _consumer(chosen: argparse.Namespace) -> None:
    if not _NAME.fullmatch(chosen.name) or chosen.name in (*SERVICES, "admin"):
        raise Trouble("A consumer's name is 2 to 41 small letters, digits and dashes, and not one of ours.")
    word = secrets.token_urlsafe(32)
    asyncio.run(kafka.admit(_access(), {chosen.name: word}, {chosen.name: outsider(chosen.name, verifier=chosen.verifier)}))
    print(f"user      {chosen.name}\npassword  {word}\ngroups    {chosen.name}-…\nThe password is shown this once.")


def _rotate_postgres() -> None:
    print("\n".join(f"{role} has another password." for role in asyncio.run(postgres.rotate(_superuser(), _VAULT))))


def _rotate_kafka() -> None:
    print("\n".join(f"{user} has another password." for user in asyncio.run(kafka.rotate(_access(), _VAULT))))


def _rotate_redis() -> None:
    for name in (name for name in BY_NAME if name.startswith("redis.")):
        _VAULT.replace(name, BY_NAME[name].make())
    print("Now: docker compose restart redis, then the services one after the other.")


def _rotate_feeds() -> None:
    """Other ids too: the old ones serve until they are revoked, so nobody is ever without one."""
    old = [_VAULT.client(service)[0] for service in filter(feeds_of, SERVICES)]
    for service in filter(feeds_of, SERVICES):
        _VAULT.replace(f"feed.{service}", BY_NAME[f"feed.{service}"].make())
    print("Now: docker compose run --rm feed-clients\nthen docker compose restart registry-worker keys-worker metrics-worker, and then")
    print("\n".join(f"docker compose run --rm --no-deps identity-ops service-client revoke {client_id}" for client_id in old))


def _rotate_signing_key() -> None:
    number = int(_VAULT.read("identity.signing_key")) + 1
    _VAULT.replace("identity.signing_key", str(number))
    print(f"Tokens are signed with key {number} from the next start of identity on: docker compose restart identity-main identity-worker")


def _rotate_portal() -> None:
    """The new key seals; the one before still opens, so nobody is signed out."""
    name = "portal.session_keys"
    _VAULT.replace(name, f"{BY_NAME[name].make()},{_VAULT.read(name).partition(',')[0]}")
    print("Sessions are sealed with another key from the next start of the portal on: docker compose restart portal")


_ROTATES = {
    "portal": _rotate_portal,
    "postgres": _rotate_postgres,
    "kafka": _rotate_kafka,
    "redis": _rotate_redis,
    "feeds": _rotate_feeds,
    "signing-key": _rotate_signing_key,
}


def _superuser() -> str:
    return _SUPERUSER.format(host=os.environ["POSTGRES"])


def _access() -> KafkaAccess:
    return kafka.access(os.environ["KAFKA"], _VAULT, tls=os.environ.get("KAFKA_TLS") == "true", ca_file=Path(_CA) if _CA else None)


if __name__ == "__main__":
    sys.exit(main())
