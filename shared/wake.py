"""Wake-ups between processes after a commit, over a Redis channel: a hint that saves waiting, never needed to be right."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Final, Protocol, Self

import redis.asyncio as redis
from redis.exceptions import RedisError

_RETRY: Final = 1.0  # seconds until Redis is asked again after it was away
_TIMEOUT: Final = 1.0  # seconds for one call


class Wake(Protocol):
    """Says "something was committed" and hears it. `connected`: whether wake-ups come, as far as is known; without them readers poll."""

    connected: bool

    def publish(self) -> None:
        """Tell the other processes, soon and without waiting; calls that come close together are one message."""

    async def wait(self, seconds: float) -> bool:
        """Sleep until somebody published since the last wait, at most `seconds`; true when woken."""


class LocalWake:
    """Wake-ups within one process: for tests and for a process that only talks to itself."""

    connected = True

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

    connected = False

    def __init__(self, url: str, service: str, *, listen: bool = True, quiet_seconds: float = 10.0) -> None:
        """`listen=False` for a process that only publishes. After `quiet_seconds` without a word Redis is asked whether it is there."""
        self._channel, self._listen, self._quiet = f"wake:{service}", listen, quiet_seconds
        # No timeout of redis-py's own: it would send by `wait_for`, which loses a cancellation, before Python 3.12.
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
                async with asyncio.timeout(_TIMEOUT):
                    await pubsub.subscribe(self._channel)
                while True:
                    self._take(await pubsub.get_message(timeout=self._quiet) or await _asked(pubsub))
            except (RedisError, OSError):
                self.connected = False
                await asyncio.sleep(_RETRY)
            finally:
                with contextlib.suppress(RedisError, OSError):
                    await pubsub.aclose()  # type: ignore[no-untyped-call]  # redis-py leaves this one without annotations

    def _take(self, message: Mapping[str, object]) -> None:
        self.connected = True
        if message["type"] == "message":
            self._heard.publish()


async def _asked(pubsub: redis.client.PubSub) -> Mapping[str, object]:
    """What comes after a PING. Raises TimeoutError when nothing does: a connection that was cut without a goodbye is as silent as a
    quiet channel, and only an answer tells them apart."""
    async with asyncio.timeout(_TIMEOUT):
        await pubsub.ping()
        message: Mapping[str, object] | None = None
        while message is None:
            message = await pubsub.get_message(timeout=_TIMEOUT)
    return message
