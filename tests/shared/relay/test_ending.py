"""However and whenever a relay's Kafka clients are ended, no socket of theirs is left open."""

import asyncio
from collections.abc import Sequence

import psutil
import pytest

from shared.relay.leadership import Lease
from shared.relay.offsets import Offsets
from shared.relay.outlet import Outlet
from stack.testing import RealStack
from tests.shared.relay.harness import TOPICS

pytestmark = pytest.mark.stack


def outlet(stack: RealStack) -> Outlet:
    return Outlet(stack.bootstrap, TOPICS, Offsets(()), Lease())


def sockets(stack: RealStack) -> Sequence[int]:
    """Those of this process that are connected to Kafka, by their own port."""
    return [each.laddr.port for each in psutil.Process().net_connections("tcp") if each.raddr and each.raddr.port == stack.kafka.port]


async def cancelled_after(turns: int, task: "asyncio.Task[None]") -> None:
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("turns", range(1, 16))
async def test_an_end_that_is_cancelled_comes_all_the_same(stack: RealStack, turns: int) -> None:
    used = outlet(stack)
    await used.open()
    await used.ends()
    await cancelled_after(turns, asyncio.create_task(used.close()))
    assert sockets(stack) == []


@pytest.mark.parametrize("turns", range(1, 16, 2))
async def test_a_start_that_is_cancelled_can_be_ended(stack: RealStack, turns: int) -> None:
    used = outlet(stack)
    await cancelled_after(turns, asyncio.create_task(used.open()))
    await used.close()
    assert sockets(stack) == []
