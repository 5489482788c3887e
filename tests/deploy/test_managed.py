"""Stores that somebody else runs, over TLS: the deployment finds them by variables alone, and has none of its own."""

import socket
import subprocess
from pathlib import Path

import httpx2
import psutil
import pytest

from deploy.vault import SECRETS
from stack.ports import free_ports
from tests.deploy.deployment import STORES, Deployment, alone, another
from tests.people import Developer, transaction

USERS_OF_REDIS = ("run", "--rm", "--no-deps", "--entrypoint", "cat", "init", "/secrets/redis/users.acl")
FIGURES = "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:10001/metrics').read().decode())"
OVER_TLS = {"POSTGRES_SSLMODE": "verify-full", "KAFKA_TLS": "true", "REDIS_TLS": "true"}
pytestmark = [pytest.mark.containers, pytest.mark.long, pytest.mark.timeout(1800)]


async def test_everything_works_on_stores_elsewhere(deployment: Deployment, http: httpx2.AsyncClient, tmp_path: Path) -> None:
    address = _of_this_machine()
    given, admin = tmp_path / "given", free_ports(1)[0]
    given.mkdir()
    for secret in SECRETS:  # what those who run the stores and we have agreed upon
        (given / secret.name).write_text(secret.make())
    authority, stranger = (_authority(tmp_path / name, address) for name in ("theirs-tls", "a-strangers-tls"))
    agreed = {"LATCHKEY_GIVEN": str(given), "TEST_ADDRESS": address, "TEST_KAFKA_ADMIN_PORT": str(admin), "TEST_TLS": str(authority.parent)}
    with alone(deployment), another(deployment, tmp_path / "theirs", "tests/deploy/elsewhere.yml", told=agreed) as theirs:
        theirs.compose("up", "--wait", "--wait-timeout", "600", *STORES, "postgres-tls")
        at = {f"{store.upper()}_ADDRESS": f"{address}:{port}" for store, port in theirs.published.items()} | OVER_TLS
        at |= {"KAFKA_ADMIN_ADDRESS": f"{address}:{admin}", "LATCHKEY_GIVEN": str(given), "STORES_CA_FILE": str(authority)}
        with another(deployment, tmp_path / "ours", "deploy/managed.yml", told=at) as ours:
            ours.up()
            assert ours.compose("ps", "-aq", *STORES).stdout == ""
            assert "user identity on #" in ours.compose(*USERS_OF_REDIS).stdout
            await _serves(Developer(ours, http))
            figures = ours.compose("exec", "-T", "identity-worker", "python", "-c", FIGURES).stdout
            assert 'wake_connected{part="relay"} 1.0' in figures
            for prepares in ("databases", "topics"):
                refused = ours.compose("run", "--rm", "--no-deps", prepares, check=False, told={"STORES_CA_FILE": str(stranger)})
                assert refused.returncode, prepares
                assert "CERTIFICATE_VERIFY_FAILED" in refused.stderr


def _of_this_machine() -> str:
    """Its address as containers see it, on the bridge of the engine."""
    return next(each.address for each in psutil.net_if_addrs()["docker0"] if each.family is socket.AF_INET)


def _authority(folder: Path, address: str) -> Path:
    """An authority's certificate, beside one that it gave to who is at this address."""
    folder.mkdir()
    new = ("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    given = ("-CA", "authority.pem", "-CAkey", "authority.key", "-addext", "basicConstraints=CA:FALSE")
    for command in (
        (*new, "-subj", "/CN=authority", "-keyout", "authority.key", "-out", "authority.pem"),
        (*new, "-subj", "/CN=stores", "-addext", f"subjectAltName=IP:{address}", *given, "-keyout", "key.pem", "-out", "certificate.pem"),
    ):
        subprocess.run(command, check=True, capture_output=True, cwd=folder)
    (folder / "key-and-certificate.pem").write_bytes((folder / "key.pem").read_bytes() + (folder / "certificate.pem").read_bytes())
    for place in (folder, *folder.iterdir()):
        place.chmod(0o755)  # the users of the stores are none of this machine's
    return folder / "authority.pem"


async def _serves(developer: Developer) -> None:
    """A key is honoured and its transactions are counted, which takes all three stores."""
    app, pair = await developer.everything(patience=60)
    assert await developer.verdict(pair["secret_key"]) == "VALID"
    answer = await developer.record(pair["secret_key"], *(transaction(n) for n in range(5)))
    assert answer.status_code == 201, answer.text
    assert await developer.sees(app["app_id"], patience=60)
    assert (await developer.overview(app["app_id"]))["total"] == 5
