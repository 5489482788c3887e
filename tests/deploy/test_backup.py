"""Backup, wipe, restore: to a moment while Kafka kept newer events, and to the end after everything is gone."""

import asyncio
import subprocess
import time
from pathlib import Path

import httpx2
import pytest

from stack.ports import SERVICES
from tests.deploy.deployment import Deployment
from tests.faults.conftest import under_load
from tests.faults.ledger import Ledger, check
from tests.people import Developer, transaction

pytestmark = [pytest.mark.containers, pytest.mark.long, pytest.mark.timeout(1800)]
BEHIND = "Kafka holds events that the log does not"


async def test_a_backup_brings_back_any_moment(deployment: Deployment, ledger: Ledger, http: httpx2.AsyncClient, tmp_path: Path) -> None:
    assert deployment.machine  # before the backup, so that it is in it
    with deployment.overlaid("backup.yml"):
        async with under_load(ledger, writers=2):
            assert "is complete." in deployment.compose("exec", "-T", "postgres", "bash", "/scripts/backup.sh").stdout
        newcomer, moment = Developer(deployment, http), _moment(deployment)
        lost, key = await newcomer.everything(patience=60)
        assert (await newcomer.record(key["secret_key"], transaction(1))).status_code == 201
        await _all_published(deployment)

        _restore(deployment, moment)
        _accept_what_is_lost(deployment, newcomer.account_id, lost["app_id"])
        await _is_as_it_was(deployment, ledger)
        assert (await newcomer.sign_in()).status_code == 401
        assert await ledger.developer.verdict(key["secret_key"]) == "NOT_FOUND"
        assert (await ledger.developer.record(key["secret_key"], transaction(2))).status_code == 401

        deployment.compose("exec", "-T", "postgres", "bash", "/scripts/backup.sh")
        _keep_secrets(deployment, tmp_path / "secrets.tgz", tmp_path / "backup.tgz")
        deployment.down()
        deployment.forget()
        _bring_back(deployment, tmp_path / "secrets.tgz", tmp_path / "backup.tgz")
        deployment.compose("run", "--rm", "-T", "restore")
        deployment.up()
        await _is_as_it_was(deployment, ledger)


def _moment(deployment: Deployment) -> str:
    now = deployment.compose("exec", "-T", "postgres", "psql", "-U", "postgres", "-Atc", "SELECT clock_timestamp()").stdout.strip()
    time.sleep(1)
    return now


async def _all_published(deployment: Deployment) -> None:
    deadline = time.monotonic() + 60
    while not all("everything is published" in deployment.ops(service, "relay", "status").stdout for service in SERVICES):
        assert time.monotonic() < deadline


def _restore(deployment: Deployment, moment: str) -> None:
    """The database's volume alone is lost; Kafka knows more than the backup."""
    deployment.compose("down")
    subprocess.run(["docker", "volume", "rm", f"{deployment.project}_postgres"], check=True, capture_output=True)
    assert "The copy of" in deployment.compose("run", "--rm", "-T", "restore", moment).stdout
    again = deployment.compose("run", "--rm", "-T", "restore", moment, check=False)
    assert (again.returncode, "There is a database" in again.stderr) == (1, True)


def _accept_what_is_lost(deployment: Deployment, account_id: str, app_id: str) -> None:
    """Nobody serves before it is accepted, service by service."""
    refused = deployment.compose("up", "--wait", "--wait-timeout", "600", check=False)
    assert refused.returncode != 0
    assert BEHIND in deployment.compose("logs", "--no-color", *(f"{service}-ops" for service in SERVICES)).stdout
    assert deployment.compose("ps", "-q", *(f"{service}-main" for service in SERVICES)).stdout == ""
    told = {service: deployment.ops(service, "restored", check=False) for service in SERVICES}
    assert [done.returncode for done in told.values()] == [1] * len(SERVICES)
    assert f"{account_id}/1" in told["identity"].stdout
    assert f"{app_id}/1" in told["registry"].stdout
    for service in SERVICES:
        assert "The log goes on behind" in deployment.ops(service, "restored", "--accept").stdout
    deployment.ops("identity", "erasures", "replay")
    deployment.up()


async def _is_as_it_was(deployment: Deployment, ledger: Ledger) -> None:
    """Everything that was acknowledged before the moment is there, and writing goes on."""
    await ledger.developer.sign_in()
    before = len(ledger.told)
    async with under_load(ledger, writers=1):
        for _ in range(300):
            if sum(outcome == "ok" for outcome in list(ledger.told.values())[before:]) > 10:
                break
            await asyncio.sleep(0.2)
    assert (await check(deployment, ledger))["ok"] > before


def _keep_secrets(deployment: Deployment, secrets: Path, backup: Path) -> None:
    """Both volumes as files outside, as they would be kept elsewhere."""
    for folder, file in (("/secrets", secrets), ("/data/backup", backup)):
        kept = deployment.streamed("run", "--rm", "-T", "--no-deps", "--entrypoint", "tar", "init", "-C", folder, "-cz", ".")
        file.write_bytes(kept)


def _bring_back(deployment: Deployment, secrets: Path, backup: Path) -> None:
    for folder, file in (("/secrets", secrets), ("/data/backup", backup)):
        deployment.streamed("run", "--rm", "-T", "--no-deps", "--entrypoint", "tar", "init", "-C", folder, "-xz", given=file.read_bytes())
