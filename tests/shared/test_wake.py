"""Wake-ups over the real Valkey, also after its connection went dead without a word."""

import asyncio
import time

import pytest

from shared.wake import RedisWake
from stack.testing import RealStack
from tests.faults.proxy import proxy_to
from tests.shared.until import until

pytestmark = pytest.mark.stack


async def test_a_connection_that_went_dead_without_a_word_is_made_anew(stack: RealStack) -> None:
    async with (
        proxy_to(stack.redis_url) as proxy,
        RedisWake(proxy.url(stack.redis_url), "toy", quiet_seconds=0.2) as far,
        RedisWake(stack.redis_url, "toy", listen=False) as near,
    ):

        async def woken() -> bool:
            near.publish()
            return await far.wait(0.1)

        async def connected() -> bool:
            return far.connected

        async def deaf() -> bool:
            return not far.connected

        await until(woken)
        assert far.connected
        before = len(proxy.writers)
        began = time.monotonic()
        assert not await far.wait(1.0)  # a quiet channel is not a dead one: nobody is woken, and the connection stays
        assert time.monotonic() - began >= 1.0
        assert (far.connected, len(proxy.writers)) == (True, before)
        proxy.muted = True
        await until(deaf)
        proxy.muted = False
        await until(connected)
        await until(woken)


async def test_closing_ends_whatever_the_connection_is_at(stack: RealStack) -> None:
    for step in range(40):
        async with asyncio.timeout(5), RedisWake(stack.redis_url, "toy"):
            await asyncio.sleep(step * 0.0005)  # while it connects, signs in, subscribes, asks
