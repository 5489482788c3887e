"""Wake-ups between processes after a commit, over a Redis channel: a hint that saves waiting, never needed to be right."""

import asyncio
import contextlib
from typing import Final, Protocol, Self

import redis.asyncio as redis
from redis.exceptions import RedisError

_RETRY: Final = 1.0  # seconds until Redis is asked again after it was away
_TIMEOUT: Final = 1.0  # seconds for one call


class Wake(Protocol):
    """Says "something was committed" and hears it."""

    def publish(self) -> None:
        """Tell the other processes, soon and without waiting; calls that come close together are one message."""

    async def wait(self, seconds: float) -> bool:
        """Sleep until somebody published since the last wait, at most `seconds`; true when woken."""


class LocalWake:
    """Wake-ups within one process: for tests and for a process that only talks to itself."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def publish(self) -> None:
        """See Wake."""
        self._event.set()

    async def wait(self, seconds: float) -> bool:
        """See Wake."""
        try:
            async with asyncio.timeout(seconds):  # `wait_for` loses a cancellation that meets the event, before Python 3.12
                await self._event.wait()
        except TimeoutError:
            return False
        self._event.clear()
        return True


class RedisWake:
    """Wake-ups over the Redis channel `wake:<service>`. With Redis away nothing fails: waiting lasts its full time, so readers poll.

    Use as an async context manager; it owns its connections and its two tasks.
    """

    def __init__(self, url: str, service: str, *, listen: bool = True) -> None:
        """`listen=False` for a process that only publishes."""
        self._channel, self._listen = f"wake:{service}", listen
        self._redis = redis.from_url(url, socket_timeout=None, socket_connect_timeout=_TIMEOUT)
        self._heard, self._say = LocalWake(), asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._speak())]
        if self._listen:
            self._tasks.append(asyncio.create_task(self._hear()))
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._redis.aclose()

    def publish(self) -> None:
        """See Wake."""
        self._heard.publish()
        self._say.set()

    async def wait(self, seconds: float) -> bool:
        """See Wake."""
        return await self._heard.wait(seconds)

    async def _speak(self) -> None:
        while True:
            await self._say.wait()
            self._say.clear()
            try:
                async with asyncio.timeout(_TIMEOUT):
                    await self._redis.publish(self._channel, b"")
            except (RedisError, OSError, TimeoutError):
                await asyncio.sleep(_RETRY)  # the hint is lost, which costs the readers one poll

    async def _hear(self) -> None:
        while True:
            pubsub = self._redis.pubsub(ignore_subscribe_messages=True)
            try:
                await pubsub.subscribe(self._channel)
                async for _ in pubsub.listen():
                    self._heard.publish()
            except (RedisError, OSError):
                await asyncio.sleep(_RETRY)
            finally:
                with contextlib.suppress(RedisError, OSError):
                    await pubsub.aclose()  # type: ignore[no-untyped-call]  # redis-py leaves this one without annotations
