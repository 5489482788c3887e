"""What a service's worker process is made of: parts that run side by side, are restarted when they fail, and drain on SIGTERM."""

import asyncio
import contextlib
import logging
import signal
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import asyncpg
import uvicorn
from latchkey.consumer import Consumer
from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from pydantic_core import to_json

from shared.relay.gauges import Gauges
from shared.relay.leadership import lead
from shared.relay.relay import Relay, RelaySettings
from shared.wake import Wake

LATE_SECONDS: Final = 30.0
"""A relay or consumer that is further behind turns readiness red."""
_BACK_OFF: Final = (0.5, 30.0)
_FIGURES: Final = (
    "lag_records",
    "age_seconds",
    "applied",
    "duplicates",
    "unknown",
    "parked",
    "failures",
    "remade_topics",
    "retention_gaps",
)
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
        return f"the oldest event that is not published is {old:.0f} s old" if old > LATE_SECONDS else None

    return [Part("relay", Relay(settings, wake, gauges).run), Part("relay watch", lambda: gauges.watch(pool), late=late)]


def consumer(name: str, consumes: Consumer) -> Part:
    """A consumer of other services' events, with its figures and its lateness."""

    def late() -> str | None:
        old = consumes.status.age_seconds
        return f"{name} has not been up to date for {old:.0f} s: {consumes.status.last_error}" if old > LATE_SECONDS else None

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


class Worker:
    """Runs its parts until SIGTERM or SIGINT; `/livez`, `/readyz` and `/metrics` answer on `port`.

    A part that fails or ends is started again after a pause that grows, counted and logged; readiness says so meanwhile. On the signal
    readiness turns red, parts finish what they have begun (at most `drain_seconds`), and `run` returns: close pools after it.
    """

    def __init__(self, parts: Sequence[Part], registry: CollectorRegistry, *, host: str, port: int, drain_seconds: float = 20.0) -> None:
        self._parts, self._registry, self._host, self._port, self._drain = parts, registry, host, port, drain_seconds
        self._failing: dict[str, str] = {}
        self._stopping = asyncio.Event()
        self._restarts = Counter("worker_part_restarts", "Parts started again after they failed", ["part"], registry=registry)
        registry.register(_Figures(parts))
        for part in parts:
            self._restarts.labels(part.name)

    async def run(self) -> None:
        """Work until told to stop. A port that is taken ends the process with status 1."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        config = uvicorn.Config(
            self._answer, host=self._host, port=self._port, interface="asgi3", lifespan="off", access_log=False, log_config=None
        )
        server = _Server(config)
        serving = asyncio.create_task(server.serve())
        working = [asyncio.create_task(self._keep(part), name=part.name) for part in self._parts]
        try:
            stopped = asyncio.create_task(self._stopping.wait())
            await asyncio.wait({stopped, serving}, return_when=asyncio.FIRST_COMPLETED)
            stopped.cancel()
            await self._finish()
        finally:
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)
            server.should_exit = True
            await serving

    def stop(self) -> None:
        """What SIGTERM does."""
        self._stopping.set()

    def not_ready(self) -> list[str]:
        """Why this process is not ready, a sentence each; empty when it is."""
        if self._stopping.is_set():
            return ["the process is stopping"]
        failing = [f"{name} failed and is started again: {error}" for name, error in self._failing.items()]
        return failing + [late for part in self._parts if (late := part.late())]

    async def _keep(self, part: Part) -> None:
        pause = _BACK_OFF[0]
        while True:
            started = time.monotonic()
            try:
                await part.run()
                error = "it ended by itself"
            except Exception as failure:  # noqa: BLE001  # whatever it was, the part must not stay dead
                error = type(failure).__name__
                _log.exception("part %s failed", part.name)
            if self._stopping.is_set():
                return
            self._restarts.labels(part.name).inc()
            self._failing[part.name] = error
            if time.monotonic() - started > _BACK_OFF[1]:
                pause = _BACK_OFF[0]
            await asyncio.sleep(pause)
            pause = min(2 * pause, _BACK_OFF[1])
            asyncio.get_running_loop().call_later(1.0, self._failing.pop, part.name, None)

    async def _finish(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._drain):
                results = await asyncio.gather(*(part.stop() for part in self._parts), return_exceptions=True)
                for part, result in zip(self._parts, results, strict=True):
                    if isinstance(result, Exception):
                        _log.warning("part %s did not stop well: %r", part.name, result)

    async def _answer(self, scope: Any, _receive: Any, send: Any) -> None:
        """The internal port, as plain ASGI."""
        kind, body, status = b"application/json", b'{"status":"ok"}', 200
        match scope["path"]:
            case "/livez":
                pass
            case "/readyz":
                reasons = self.not_ready()
                status = 503 if reasons else 200
                body = to_json({"status": "not ready" if reasons else "ok", "reasons": reasons})
            case "/metrics":
                kind, body = b"text/plain; version=0.0.4; charset=utf-8", generate_latest(self._registry)
            case _:
                status, body = 404, b'{"status":"not found"}'
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-type", kind)]})
        await send({"type": "http.response.body", "body": body})


class _Server(uvicorn.Server):
    """Leaves the signals to the worker."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


@dataclass(frozen=True)
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
