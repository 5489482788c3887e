"""Containers killed in turn, under load; then the ledger is checked: nothing acknowledged is lost, nothing is done twice."""

import asyncio
import time

import pytest

from tests.deploy.deployment import LONG_RUNNING, Deployment
from tests.faults.conftest import under_load
from tests.faults.ledger import Ledger, check

pytestmark = [pytest.mark.containers, pytest.mark.timeout(1800)]
SOME = ("postgres", "kafka", "keys-main", "metrics-worker")  # the truth, what carries it, who decides and who listens


@pytest.mark.parametrize("names", [pytest.param(SOME, id="some"), pytest.param(LONG_RUNNING, id="all", marks=pytest.mark.long)])
async def test_containers_killed_in_turn_lose_nothing_and_double_nothing(
    deployment: Deployment, ledger: Ledger, names: tuple[str, ...]
) -> None:
    answered: dict[str, int] = {}
    async with under_load(ledger, writers=2):
        for name in names:
            before = sum(outcome == "ok" for outcome in ledger.told.values())
            await asyncio.to_thread(deployment.kill, name)
            await asyncio.sleep(1)
            await asyncio.to_thread(deployment.up, name)
            await _until_answered(ledger, before)
            answered[name] = sum(outcome == "ok" for outcome in ledger.told.values()) - before
    assert answered.keys() == set(names)
    assert min(answered.values()) > 0
    told = await check(deployment, ledger)
    assert told["ok"] > 10 * len(names)


async def _until_answered(ledger: Ledger, before: int) -> None:
    """Wait until writing goes on: metrics refuses keys until its table of them is proven fresh again."""
    for _ in range(600):
        if sum(outcome == "ok" for outcome in ledger.told.values()) > before + 10:
            return
        await asyncio.sleep(0.2)
    raise AssertionError("nothing was acknowledged for two minutes")


def test_a_process_that_dies_by_itself_is_started_again(deployment: Deployment) -> None:
    """Docker's restart policy does not count `docker kill`; so the process inside ends on its own signal, and comes back."""
    before = deployment.inspect("keys-worker")["State"]["StartedAt"]
    deployment.compose("exec", "-T", "keys-worker", "python", "-c", "import os, signal; os.kill(1, signal.SIGTERM)")
    for _ in range(120):
        state = deployment.inspect("keys-worker")["State"]
        if state["StartedAt"] != before and state["Health"]["Status"] == "healthy":
            return
        time.sleep(1)
    raise AssertionError(f"keys-worker did not come back: {state}")


async def test_a_migration_killed_half_way_is_resumed(deployment: Deployment) -> None:
    """The one-shot is killed while it starts and while it works; the next one ends well, and the schema is the present one."""
    for seconds in (0.2, 1.0, 2.0):
        running = asyncio.create_task(asyncio.to_thread(deployment.ops, "metrics", "migrate", check=False))
        await asyncio.sleep(seconds)
        await asyncio.to_thread(deployment.compose, "kill", "metrics-ops", check=False)
        await running
    assert "present schema" in deployment.ops("metrics", "migrate").stdout
