"""Stores that somebody else runs: the deployment finds them by variables alone, and has none of its own."""

import socket
from pathlib import Path

import httpx2
import psutil
import pytest

from deploy.vault import SECRETS
from stack.ports import free_ports
from tests.deploy.deployment import STORES, Deployment, alone, another
from tests.people import Developer, transaction

USERS_OF_REDIS = ("run", "--rm", "--no-deps", "--entrypoint", "cat", "init", "/secrets/redis/users.acl")
pytestmark = [pytest.mark.containers, pytest.mark.long, pytest.mark.timeout(1800)]


async def test_everything_works_on_stores_elsewhere(deployment: Deployment, http: httpx2.AsyncClient, tmp_path: Path) -> None:
    address = _of_this_machine()
    given, admin = tmp_path / "given", free_ports(1)[0]
    given.mkdir()
    for secret in SECRETS:  # what those who run the stores and we have agreed upon
        (given / secret.name).write_text(secret.make())
    agreed = {"LATCHKEY_GIVEN": str(given), "TEST_ADDRESS": address, "TEST_KAFKA_ADMIN_PORT": str(admin)}
    with alone(deployment), another(deployment, tmp_path / "theirs", "tests/deploy/elsewhere.yml", told=agreed) as theirs:
        theirs.compose("up", "--wait", "--wait-timeout", "600", *STORES)
        at = {f"{store.upper()}_ADDRESS": f"{address}:{port}" for store, port in theirs.published.items()}
        at |= {"KAFKA_ADMIN_ADDRESS": f"{address}:{admin}", "LATCHKEY_GIVEN": str(given)}
        with another(deployment, tmp_path / "ours", "deploy/managed.yml", told=at) as ours:
            ours.up()
            assert ours.compose("ps", "-aq", *STORES).stdout == ""
            assert "user identity on #" in ours.compose(*USERS_OF_REDIS).stdout
            await _serves(Developer(ours, http))


def _of_this_machine() -> str:
    """Its address as containers see it, on the bridge of the engine."""
    return next(each.address for each in psutil.net_if_addrs()["docker0"] if each.family is socket.AF_INET)


async def _serves(developer: Developer) -> None:
    """A key is honoured and its transactions are counted, which takes all three stores."""
    app, pair = await developer.everything(patience=60)
    assert await developer.verdict(pair["secret_key"]) == "VALID"
    answer = await developer.record(pair["secret_key"], *(transaction(n) for n in range(5)))
    assert answer.status_code == 201, answer.text
    assert await developer.sees(app["app_id"], patience=60)
    assert (await developer.overview(app["app_id"]))["total"] == 5
