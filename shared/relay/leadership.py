"""One leader at a time among processes that share a database: by a session advisory lock that a frozen holder loses."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

import asyncpg
from latchkey.beats import boot_clock

_log: Final = logging.getLogger(__name__)
_LOCK: Final = "SELECT pg_try_advisory_lock(hashtextextended($1, 1702258030))"
_TOUCH_SECONDS: Final = 0.5
_IDLE: Final = "2s"  # the server ends a session that was silent for so long, and the lock with it
_TRUST_SECONDS: Final = 1.5  # below the server's patience, so that a holder stops before another can begin
_DEADLINE: Final = 1.5
LOST_CONNECTION: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, TimeoutError)


class LeadershipLost(Exception):
    """Another process may lead by now: stop before the next effect."""


class Lease:
    """Proof of leadership, as of the last answer of the server."""

    def __init__(self) -> None:
        self.touched = boot_clock()

    def check(self) -> None:
        """Raise LeadershipLost unless the lock was certainly held a moment ago; right after a freeze this is the first to know."""
        if boot_clock() - self.touched > _TRUST_SECONDS:
            raise LeadershipLost


def end_if_cancelled() -> None:
    """Raise CancelledError when this task was asked to end. To be called in loops around aiokafka, which waits with `wait_for`: before
    Python 3.12 that loses a cancellation which comes at the same moment as the answer."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def lead(database_url: str, name: str, work: Callable[[Lease], Awaitable[None]]) -> None:
    """Run `work` while this process leads under `name`; for ever, through losses of the lock and of the database.

    When the lock is lost `work` is cancelled before anything else happens. An error of `work` itself gives up the lock and is raised.
    """
    pause = _TOUCH_SECONDS
    while True:
        try:
            db = await _session(database_url, name)
        except LOST_CONNECTION as error:
            _log.warning("leadership of %s cannot be asked for: %r", name, error)
            await asyncio.sleep(pause)
            pause = min(2 * pause, 5.0)
            continue
        pause = _TOUCH_SECONDS
        try:
            if await _acquired(db, name):
                await _while_leading(db, name, work)
        finally:
            db.terminate()
        await asyncio.sleep(pause)


async def _session(database_url: str, name: str) -> asyncpg.Connection:
    settings = {"idle_session_timeout": _IDLE, "application_name": f"leader of {name}"[:63]}
    return await asyncpg.connect(database_url, timeout=5, command_timeout=_DEADLINE, server_settings=settings)


async def _acquired(db: asyncpg.Connection, name: str) -> bool:
    """Stand by until the lock is free; each try keeps the session alive. False when the connection was lost first."""
    try:
        # A blocking wait would hold a snapshot for as long as it lasts, which keeps vacuum from its work.
        while not await db.fetchval(_LOCK, f"leader:{name}"):  # noqa: ASYNC110  # nobody can tell us: the holder is another process
            await asyncio.sleep(_TOUCH_SECONDS)
    except LOST_CONNECTION:
        return False
    return True


async def _while_leading(db: asyncpg.Connection, name: str, work: Callable[[Lease], Awaitable[None]]) -> None:
    lease = Lease()
    working = asyncio.ensure_future(work(lease))
    touching = asyncio.create_task(_touch(db, lease))
    _log.info("leading %s", name)
    try:
        await asyncio.wait({working, touching}, return_when=asyncio.FIRST_COMPLETED)
        ended = working.done()
    finally:
        working.cancel()
        touching.cancel()
        await asyncio.gather(working, touching, return_exceptions=True)
    if ended:
        working.result()
    else:
        _log.warning("leadership of %s was lost", name)


async def _touch(db: asyncpg.Connection, lease: Lease) -> None:
    while True:
        asked = boot_clock()
        try:
            await db.fetchval("SELECT 1")
        except LOST_CONNECTION:
            return
        lease.touched = asked
        await asyncio.sleep(_TOUCH_SECONDS)
