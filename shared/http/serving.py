"""Run a service's main process: public and internal port on one loop, and an orderly end."""

import asyncio
import contextlib
import gc
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from typing import Final, TypeVar

import structlog
import uvicorn
import uvloop
from starlette.types import ASGIApp

from shared.http.app import ServedApp
from shared.http.protocol import AtOnce, BoundedHead
from shared.settings import ServerSettings
from shared.telemetry import configure_logs
from shared.traces import configure_traces

S = TypeVar("S", bound=ServerSettings)
MAIN_INTERNAL: Final = 1_000
WORKER_INTERNAL: Final = 2_000
_CONNECTIONS: Final = 2_000
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
_log = structlog.get_logger()


class QuietServer(uvicorn.Server):
    """A uvicorn server that leaves the signals to us."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing, where uvicorn would take the process's handlers."""
        yield


def internal(app: ASGIApp, host: str, port: int) -> QuietServer:
    """The server of the internal port: health and metrics. It ends at once when its `should_exit` is set."""
    return QuietServer(
        uvicorn.Config(
            app, host=host, port=port, http=BoundedHead, lifespan="off", access_log=False, server_header=False, log_config=None,
            log_level="warning", timeout_graceful_shutdown=1,
        )
    )  # fmt: skip


def public(app: ServedApp) -> QuietServer:
    """The server of the API. X-Forwarded-For and -Proto count only when they come from `settings.trusted_proxies`."""
    settings = app.settings
    return QuietServer(
        uvicorn.Config(
            app, host=settings.host, port=settings.port, http=AtOnce, lifespan="off", access_log=False, server_header=False,
            log_config=None, log_level="warning", timeout_graceful_shutdown=settings.graceful_seconds,
            limit_concurrency=_CONNECTIONS, proxy_headers=bool(settings.trusted_proxies),
            forwarded_allow_ips=settings.trusted_proxies or None,
        )
    )  # fmt: skip


async def serve(app: ServedApp) -> None:
    """Serve until SIGTERM or SIGINT: `/readyz` says 503 for `drain_seconds`, then no new connection is taken, requests under way are
    given `graceful_seconds`, and this returns; pools are closed by whoever built the app. A second signal ends it at once."""
    settings = app.settings
    stopping = asyncio.Event()
    api, health = public(app), internal(app.health, settings.host, settings.port + MAIN_INTERNAL)

    def stop() -> None:
        api.force_exit = stopping.is_set()
        stopping.set()

    loop = asyncio.get_running_loop()
    for number in _SIGNALS:
        loop.add_signal_handler(number, stop)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(api.serve())
        tasks.create_task(health.serve())
        waiting = tasks.create_task(stopping.wait())
        _log.info("serving", port=settings.port, internal_port=settings.port + MAIN_INTERNAL)
        await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        app.health.draining = True
        _log.info("draining", port=settings.port)
        await asyncio.sleep(0 if running.done() else settings.drain_seconds)
        api.should_exit = True
        await running
        health.should_exit = True
        waiting.cancel()


def run_main(service: str, settings: S, build: Callable[[S], AbstractAsyncContextManager[ServedApp]]) -> None:
    """The whole life of a main process: logs, parts, both ports, drain, parts closed."""

    async def run() -> None:
        async with build(settings) as app:
            _calm_collector()
            await serve(app)

    configure_logs(service, "main")
    configure_traces(service, "main")
    uvloop.run(run())


def _calm_collector() -> None:
    """Look for cycles less often, and never among what was built at start: requests make few of them, and caches make looking dear.

    With Python's own thresholds a third of the CPU time of a batch of 500 events goes into the collector.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)
