"""Waiting in tests for something that only shows itself when asked."""

import asyncio
from collections.abc import Awaitable, Callable


async def until(question: Callable[[], Awaitable[object]], seconds: float = 10.0) -> None:
    """Ask until the answer is true. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not await question():  # noqa: ASYNC110  # what is asked lives in another process
            await asyncio.sleep(0.02)
