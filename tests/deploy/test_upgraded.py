"""The page's way to a release and back, from the state of this repository before the last migration: under load, nothing is lost."""

import asyncio
import subprocess
from pathlib import Path

import httpx2
import pytest

from stack.layout import ROOT
from stack.ports import SERVICES
from tests.deploy.conftest import opened
from tests.deploy.deployment import PROCESSES, Deployment, alone, another
from tests.faults.conftest import under_load
from tests.faults.ledger import Ledger, check

pytestmark = [pytest.mark.containers, pytest.mark.long, pytest.mark.timeout(3000)]
IMAGES = [f"latchkey/{name}:upgraded" for name in (*SERVICES, "portal", "deploy")]
MIGRATIONS = ("shared/store/sql", *(f"services/{service}/migrations" for service in SERVICES))


def git(folder: Path, *words: str) -> str:
    return subprocess.run(["git", *words], check=True, capture_output=True, text=True, cwd=folder).stdout.strip()


async def test_over_and_back(deployment: Deployment, http: httpx2.AsyncClient, tmp_path: Path) -> None:
    clone = tmp_path / "latchkey"
    git(ROOT, "clone", "-q", str(ROOT), str(clone))
    new = git(clone, "rev-parse", "HEAD")
    old = git(clone, "log", "-1", "--format=%H", "--", *MIGRATIONS) + "~1"
    with alone(deployment), another(deployment, tmp_path / "upgraded", told={"LATCHKEY_VERSION": "upgraded"}, clone=clone) as made:
        try:
            _fetch(made, clone, old)
            made.up()
            await _over_and_back(made, clone, old, new, await opened(made, http))
        finally:
            _leave_no_image(made)


async def _over_and_back(made: Deployment, clone: Path, old: str, new: str, ledger: Ledger) -> None:
    async with under_load(ledger, writers=1):
        await asyncio.to_thread(_fetch, made, clone, new)
        told = [await asyncio.to_thread(made.ops, service, "migrate") for service in SERVICES]
        assert all("applied" in done.stdout for done in told)
        await _more(ledger)  # the old code on the new schema
        before = _containers(made)
        await asyncio.to_thread(made.up)
        assert not before & _containers(made)
        await _more(ledger)
    await check(made, ledger)
    async with under_load(ledger, writers=1):
        await asyncio.to_thread(_fetch, made, clone, old)
        await asyncio.to_thread(made.up)
        await _more(ledger)
    await check(made, ledger)


def _leave_no_image(made: Deployment) -> None:
    made.down()
    subprocess.run(["docker", "image", "rm", *IMAGES], check=False, capture_output=True)


def _fetch(made: Deployment, clone: Path, commit: str) -> None:
    git(clone, "checkout", "-q", commit)
    made.build()


def _containers(made: Deployment) -> set[str]:
    return set(made.compose("ps", "-q", *PROCESSES).stdout.split())


async def _more(ledger: Ledger) -> None:
    """Wait until writing goes on."""
    before = _acknowledged(ledger)
    for _ in range(600):
        if _acknowledged(ledger) > before + 10:
            return
        await asyncio.sleep(0.2)
    raise AssertionError("nothing was acknowledged for two minutes")


def _acknowledged(ledger: Ledger) -> int:
    return sum(outcome == "ok" for outcome in ledger.told.values())
