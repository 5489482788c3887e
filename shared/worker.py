"""What a service's worker process is made of: parts that run side by side, are restarted when they fail, and drain on SIGTERM."""

import asyncio
import contextlib
import gc
import logging
import signal
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

import asyncpg
import uvloop
from latchkey.consumer import Consumer, Reaction, Reactor
from latchkey.deadline import is_stray
from latchkey.events import PublicEvent
from prometheus_client import CollectorRegistry, Counter
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from shared.errors import StreamMoved, Unavailable
from shared.following import traced_reactions
from shared.http.health import Check, Health
from shared.http.serving import WORKER_INTERNAL, internal
from shared.relay.gauges import Gauges
from shared.relay.leadership import lead
from shared.relay.relay import Relay, RelaySettings
from shared.settings import ServiceSettings
from shared.store.postgres import forget_answers
from shared.telemetry import configure_logs, watch_pools
from shared.traces import configure_traces
from shared.wake import Wake

S = TypeVar("S", bound=ServiceSettings)

LATE_SECONDS: Final = 30.0
"""A relay or consumer that is further behind turns readiness red."""
_BACK_OFF: Final = (0.5, 30.0)
_FORGET_SECONDS: Final = 3_600.0
_FIGURES: Final = (
    "lag_records", "age_seconds", "applied", "duplicates", "unknown", "parked", "failures", "remade_topics", "retention_gaps",
)  # fmt: skip
_log: Final = logging.getLogger(__name__)


def _never_late() -> str | None:
    return None


async def _nothing_to_finish() -> None:
    return None


@dataclass(frozen=True)
class Part:
    """`run` runs for ever; `stop` lets it finish what it has begun; `late` tells in a sentence why the process is not ready, or None;
    `figures` are what `/metrics` shows of it, by name."""

    name: str
    run: Callable[[], Awaitable[None]]
    stop: Callable[[], Awaitable[None]] = _nothing_to_finish
    late: Callable[[], str | None] = _never_late
    figures: Callable[[], Mapping[str, float]] = dict


def relay(settings: RelaySettings, wake: Wake, pool: asyncpg.Pool, registry: CollectorRegistry) -> list[Part]:
    """The service's relay, and the watch over how far it is."""
    gauges = Gauges(registry)

    def late() -> str | None:
        old = gauges.oldest_seconds
        if gauges.refusal:
            return gauges.refusal
        return f"the oldest event that is not published is {old:.0f} s old" if old > LATE_SECONDS else None

    watch_pools(registry, {"log": pool})
    return [
        Part("relay", Relay(settings, wake, gauges).run, figures=lambda: {"wake_connected": wake.connected}),
        Part("relay watch", lambda: gauges.watch(pool), late=late),
    ]


def reactor(reactions: Mapping[type[PublicEvent], Reaction]) -> Reactor:
    """Reactions that are commands of ours: one that met a database on its knees, or faster writers, is given again, not put aside."""
    return Reactor(traced_reactions(reactions), later=(Unavailable, StreamMoved))


def consumer(name: str, consumes: Consumer) -> Part:
    """A consumer of other services' events, with its figures and its lateness."""

    def late() -> str | None:
        old = consumes.status.age_seconds
        return f"has not been up to date for {old:.0f} s: {consumes.status.last_error}" if old > LATE_SECONDS else None

    def figures() -> Mapping[str, float]:
        return {f"consumer_{figure}": getattr(consumes.status, figure) for figure in _FIGURES}

    return Part(name, consumes.run, stop=consumes.stop, late=late, figures=figures)


def timer(name: str, database_url: str, seconds: float, job: Callable[[], Awaitable[object]]) -> Part:
    """Call `job` every so often, in one of the processes that share the database. A job that is cut short is called again."""

    async def ticking(_lease: object) -> None:
        while True:
            await job()
            await asyncio.sleep(seconds)

    return Part(name, lambda: lead(database_url, name, ticking))


def forgetting(database_url: str, pool: asyncpg.Pool) -> Part:
    """What no Idempotency-Key has to be answered with any more is deleted every hour."""
    return timer("old answers", database_url, _FORGET_SECONDS, lambda: forget_answers(pool))


class Worker:
    """Runs its parts until SIGTERM or SIGINT; `/livez`, `/readyz` and `/metrics` answer on `port`.

    A part that fails or ends is started again after a pause that grows, counted and logged; readiness says so meanwhile. On the signal
    readiness turns red, parts finish what they have begun (at most `drain_seconds`), and `run` returns: close pools after it.
    """

    def __init__(
        self, parts: Sequence[Part], registry: CollectorRegistry, *, host: str, port: int, drain_seconds: float = 20.0,
        checks: Sequence[Check] = (),
    ) -> None:  # fmt: skip
        self._parts, self._host, self._port, self._drain = parts, host, port, drain_seconds
        self._failing: dict[str, str] = {}
        self._stopping = asyncio.Event()
        self.health = Health([*checks, *(Check(part.name, partial(self._reason, part)) for part in parts)], registry)
        self._restarts = Counter("worker_part_restarts", "Parts started again after they failed", ["part"], registry=registry)
        registry.register(_Figures(parts))
        for part in parts:
            self._restarts.labels(part.name)

    async def run(self) -> None:
        """Work until told to stop. A port that is taken ends the process with status 1."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        server = internal(self.health, self._host, self._port)
        serving = asyncio.create_task(server.serve())
        working = [asyncio.create_task(self._keep(part), name=part.name) for part in self._parts]
        stopped = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({stopped, serving}, return_when=asyncio.FIRST_COMPLETED)
            await self._finish()
        finally:
            for task in (stopped, *working):
                task.cancel()
            await asyncio.gather(stopped, *working, return_exceptions=True)
            server.should_exit = True
            await serving

    def stop(self) -> None:
        """What SIGTERM does."""
        self.health.draining = True
        self._stopping.set()

    async def _reason(self, part: Part) -> str | None:
        failing = self._failing.get(part.name)
        return f"failed and is started again: {failing}" if failing else part.late()

    async def _keep(self, part: Part) -> None:
        pause = _BACK_OFF[0]
        well_again: asyncio.TimerHandle | None = None
        while True:
            started = time.monotonic()
            try:
                await part.run()
                error = "it ended by itself"
            except (Exception, asyncio.CancelledError) as failure:  # whatever it was, the part must not stay dead
                if isinstance(failure, asyncio.CancelledError) and not is_stray(failure):
                    raise
                error = type(failure).__name__
                _log.exception("part %s failed", part.name)
            if self._stopping.is_set():
                return
            if well_again:
                well_again.cancel()  # it failed again before it was believed
            self._restarts.labels(part.name).inc()
            self._failing[part.name] = error
            if time.monotonic() - started > _BACK_OFF[1]:
                pause = _BACK_OFF[0]
            await asyncio.sleep(pause)
            pause = min(2 * pause, _BACK_OFF[1])
            well_again = asyncio.get_running_loop().call_later(1.0, self._failing.pop, part.name, None)

    async def _finish(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._drain):
                results = await asyncio.gather(*(part.stop() for part in self._parts), return_exceptions=True)
                for part, result in zip(self._parts, results, strict=True):
                    if isinstance(result, Exception):
                        _log.warning("part %s did not stop well: %r", part.name, result)


def run_worker(service: str, settings: S, build: Callable[[S], AbstractAsyncContextManager[Worker]]) -> None:
    """The whole life of a worker process: logs, parts, work until SIGTERM, parts closed."""

    async def run() -> None:
        async with build(settings) as worker:
            gc.collect()
            gc.freeze()  # thousands of objects that live as long as the process: walking them again and again took most of the relay's time
            await worker.run()

    configure_logs(service, "worker")
    configure_traces(service, "worker")
    uvloop.run(run())


def internal_port(settings: ServiceSettings) -> int:
    """Where a worker answers for its health."""
    return settings.port + WORKER_INTERNAL


@dataclass(frozen=True, eq=False)
class _Figures(Collector):
    parts: Sequence[Part]

    def collect(self) -> Iterator[Metric]:
        """Every part's figures as they are now, one family a name."""
        families: dict[str, GaugeMetricFamily] = {}
        for part in self.parts:
            for name, value in part.figures().items():
                family = families.setdefault(name, GaugeMetricFamily(name, f"{name} of a part", labels=["part"]))
                family.add_metric([part.name], value)
        yield from families.values()
