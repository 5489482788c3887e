"""What ends by itself is started again, and a migration that is killed is resumed."""

import asyncio
import time

import pytest

from tests.deploy.deployment import Deployment

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]


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
