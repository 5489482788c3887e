"""A deadline that holds even when what is awaited does not let itself be cancelled."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
START_GRACE = 1.0
"""Seconds that a Kafka client which is starting gets to connect when it is not wanted any more."""


class Abandoned(ConnectionError):
    """What was awaited was cancelled from within, as happens when a connection goes."""


async def within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """The result of `work`. Raises TimeoutError after `seconds`, at once, and leaves `work` behind cancelled; also when we are cancelled.

    Raises `Abandoned` when `work` was cancelled by somebody else: aiokafka cancels what waits for a connection that it closes, and a
    stray CancelledError, which is no Exception, would end whoever awaits it silently.

    `asyncio.timeout` cancels and then waits. aiokafka's waits go through `asyncio.wait_for`, which before Python 3.12 can lose a
    cancellation that comes together with a result: then the timeout never fires, and whoever relied on it hangs for ever (seen with the
    broker away for 20 s).
    """
    task = asyncio.create_task(work)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    except BaseException:
        _abandon(task)
        raise
    if not done:
        _abandon(task)
        raise TimeoutError
    if task.cancelled():
        raise Abandoned
    return task.result()


async def finish(seconds: float, work: Coroutine[Any, Any, T], *, grace: float | None = None) -> T:
    """As `within`, but when we are cancelled `work` first comes to its end, for which it has `grace` seconds, or else `seconds`.

    For what opens or closes connections: aiokafka forgets the socket of a connection that it was cancelled over, and it stays open.
    """
    task = asyncio.create_task(within(seconds, work))
    try:
        await asyncio.wait({task})
    except BaseException:
        await asyncio.wait({task}, timeout=grace)
        _abandon(task)
        raise
    return task.result()


def is_stray(_cancelled: asyncio.CancelledError) -> bool:
    """Whether nobody asked the running task to end, so that the CancelledError it caught is a failure like any other."""
    task = asyncio.current_task()
    return task is not None and not task.cancelling()


def _abandon(task: "asyncio.Task[Any]") -> None:
    task.cancel()
    # Whatever it ends with is of no interest any more, and asyncio need not report that nobody asked.
    task.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
