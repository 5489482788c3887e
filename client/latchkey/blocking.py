"""For programs without asyncio: a verifier that plain functions ask, and a listener that calls a plain function."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from latchkey.access import KafkaAccess
from latchkey.consumer.policy import Policy
from latchkey.envelope import Envelope
from latchkey.listening import Listener
from latchkey.topics import KEYS_VERIFIER_STATE
from latchkey.verifier import LocalVerifier, Verdict

__all__ = ["BlockingVerifier", "listen"]

T = TypeVar("T")
_STOP_SECONDS: Final = 10.0


class BlockingVerifier:
    """`LocalVerifier` in a thread of its own, asked from any other thread. Use it in a `with` block."""

    def __init__(
        self, kafka: str | KafkaAccess, *, bound_ms: int = 1000, topic: str = KEYS_VERIFIER_STATE, ready_seconds: float = 30.0
    ) -> None:
        """`ready_seconds` is how long entering the block waits for the table to be read."""
        self._ready_seconds = ready_seconds
        self._thread = threading.Thread(target=self._serve, name="latchkey verifier", daemon=True)
        self._serving, self._over = threading.Event(), asyncio.Event()
        self._verifier = LocalVerifier(kafka, bound_ms=bound_ms, topic=topic)

    def __enter__(self) -> Self:
        """Start to read; raises `TimeoutError` when it cannot answer in time."""
        self._thread.start()
        self._serving.wait()
        self._run(self._verifier.start())
        if not self._run(self._verifier.ready(self._ready_seconds)):
            self.__exit__(None, None, None)
            raise TimeoutError("the verifier topic could not be read in time")
        return self

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        """Stop; nothing can be asked any more."""
        self._run(self._verifier.stop())
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(_STOP_SECONDS)

    @property
    def fresh(self) -> bool:
        """Whether it can answer now."""
        return self._verifier.fresh

    def check(self, key_text: str, *, origin: str | None = None, ip: str | None = None, scope: str | None = None) -> Verdict:
        """See `LocalVerifier.check_fresh`, also for how long it may wait: nearly always it does not."""
        return self._run(self._verifier.check_fresh(key_text, origin=origin, ip=ip, scope=scope))

    def _serve(self) -> None:
        asyncio.run(self._until_over())  # which ends whatever is left before it closes the loop

    async def _until_over(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._serving.set()
        await self._over.wait()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


def listen(
    kafka: str | KafkaAccess,
    topics: Iterable[str],
    group: str,
    handle: Callable[[Envelope], object],
    *,
    until: threading.Event | None = None,
    policy: Policy | None = None,
) -> None:
    """Call `handle` with every public event, at least once, in a worker thread, until `until` is set; see `Listener`.

    Events of different partitions are handled at the same time. Returns after what was begun is done.
    """

    async def heard(event: Envelope) -> None:
        await asyncio.to_thread(handle, event)

    async def run() -> None:
        listener = Listener(kafka, topics, group, heard, policy=policy)
        running = asyncio.create_task(listener.run())
        try:
            while not (running.done() or (until is not None and until.is_set())):
                await asyncio.wait({running}, timeout=0.1)
        finally:
            await listener.stop()
            await running

    asyncio.run(run())
