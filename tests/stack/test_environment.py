"""What a service process is told."""

import base64

import pytest

from stack.credentials import credential, password
from stack.databases import Database
from stack.endpoints import PartEndpoints
from stack.environment import owner_environment, portal_environment, service_environment
from stack.layout import Layout, read_json

PARTS = PartEndpoints(
    postgres_superuser="postgres://postgres:pw@127.0.0.1:5432/postgres",
    redis="redis://:pw@127.0.0.1:6379/0",
    kafka="127.0.0.1:9092",
    mail="/mail",
    smtp_host="127.0.0.1",
    smtp_port=1025,
)
CLIENT = {"id": "svc_1", "secret": "hush"}
PORTS = {"identity": 8001, "registry": 8002, "keys": 8003, "metrics": 8004}


def told(service: str) -> dict[str, str]:
    database = Database.at(PARTS.postgres_superuser, service, "secret")
    return service_environment(service, database=database, parts=PARTS, master_key="a2V5", ports=PORTS, client=CLIENT)


def test_a_service_is_told_only_what_has_its_prefix() -> None:
    assert told("keys") == {
        "KEYS_DATABASE_URL": "postgres://keys_app:secret@127.0.0.1:5432/keys",
        "KEYS_READ_DATABASE_URL": "postgres://keys_read:secret@127.0.0.1:5432/keys",
        "KEYS_REDIS_URL": PARTS.redis,
        "KEYS_KAFKA_BOOTSTRAP": "127.0.0.1:9092",
        "KEYS_HOST": "127.0.0.1",
        "KEYS_PORT": "8003",
        "KEYS_MASTER_KEY": "a2V5",
        "KEYS_IDENTITY_URL": "http://127.0.0.1:8001",
        "KEYS_TRUSTED_PROXIES": "127.0.0.1",
        "KEYS_REGISTRY_URL": "http://127.0.0.1:8002",
        "KEYS_KEYS_URL": "http://127.0.0.1:8003",
        "KEYS_FEED_CLIENT_ID": "svc_1",
        "KEYS_FEED_CLIENT_SECRET": "hush",
    }


def test_only_identity_is_told_where_mail_goes() -> None:
    assert told("identity")["IDENTITY_SMTP_PORT"] == "1025"
    assert not [name for service in ("registry", "keys", "metrics") for name in told(service) if "SMTP" in name]


@pytest.mark.parametrize("service", PORTS)
def test_a_process_that_serves_does_not_learn_the_owners_address(service: str) -> None:
    database = Database.at(PARTS.postgres_superuser, service, "secret")
    assert database.owner not in told(service).values()
    assert owner_environment(service, database) == {f"{service.upper()}_OWNER_DATABASE_URL": database.owner}


def test_the_portal_is_told_where_the_services_are_and_nothing_of_the_parts() -> None:
    assert portal_environment(port=8080, session_key="a2V5", ports=PORTS) == {
        "PORTAL_HOST": "127.0.0.1",
        "PORTAL_PORT": "8080",
        "PORTAL_SESSION_KEYS": "a2V5",
        "PORTAL_IDENTITY_URL": "http://127.0.0.1:8001",
        "PORTAL_REGISTRY_URL": "http://127.0.0.1:8002",
        "PORTAL_KEYS_URL": "http://127.0.0.1:8003",
        "PORTAL_METRICS_URL": "http://127.0.0.1:8004",
    }


def test_secrets_are_made_up_once_for_their_owner_only(tmp_path_factory: pytest.TempPathFactory) -> None:
    layout = Layout(tmp_path_factory.mktemp("local"))
    first = credential(layout, "keys.master_key")
    assert len(base64.b64decode(first)) == 32
    assert credential(layout, "keys.master_key") == first
    assert credential(layout, "metrics.master_key") != first
    assert layout.secrets.stat().st_mode & 0o777 == 0o600
    assert set(password(layout, "keys.database")) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    assert set(read_json(layout.secrets)) == {"keys.master_key", "metrics.master_key", "keys.database"}
