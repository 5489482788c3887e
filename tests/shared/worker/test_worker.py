"""A worker restarts what fails, says so, and drains when it is told to stop."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from prometheus_client import CollectorRegistry

from shared.worker import Part, Worker
from stack.ports import free_ports
from tests.shared.until import until

pytestmark = pytest.mark.stack  # for the socket that it listens on


async def get(port: int, path: str) -> tuple[int, str]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    writer.close()
    await writer.wait_closed()
    return int(head.split()[1]), body


async def ready(port: int) -> bool:
    return (await get(port, "/readyz"))[0] == 200


async def forever() -> None:
    await asyncio.Event().wait()


@asynccontextmanager
async def running(*parts: Part) -> AsyncIterator[tuple[Worker, int, "asyncio.Task[None]"]]:
    [port] = free_ports(1)
    worker = Worker(parts, CollectorRegistry(), host="127.0.0.1", port=port, drain_seconds=2)
    task = asyncio.create_task(worker.run())
    try:
        async with asyncio.timeout(5):
            while True:
                try:
                    await get(port, "/livez")
                    break
                except OSError:
                    await asyncio.sleep(0.01)
        yield worker, port, task
    finally:
        worker.stop()
        await task


async def test_a_part_that_fails_is_started_again_and_counted() -> None:
    starts = 0
    works = asyncio.Event()

    async def fails_once() -> None:
        nonlocal starts
        starts += 1
        if starts == 1:
            raise ValueError("first try")
        works.set()
        await forever()

    async with running(Part("shaky", fails_once), Part("steady", forever)) as (_, port, _task):
        status, body = await get(port, "/readyz")
        assert status == 503
        assert json.loads(body)["reasons"] == {"shaky": "failed and is started again: ValueError"}
        await asyncio.wait_for(works.wait(), 5)
        metrics = (await get(port, "/metrics"))[1]
        assert 'worker_part_restarts_total{part="shaky"} 1.0' in metrics
        assert 'worker_part_restarts_total{part="steady"} 0.0' in metrics
        await until(lambda: ready(port))


async def test_a_part_that_ends_by_itself_is_not_silently_dead() -> None:
    async def ends() -> None:
        await asyncio.sleep(0)

    async with running(Part("short", ends)) as (worker, _, _task):
        assert await worker.health.reasons() == {"short": "failed and is started again: it ended by itself"}


async def test_a_part_that_fails_at_every_start_is_never_ready_between_two() -> None:
    async def fails() -> None:
        raise ValueError("always")

    async with running(Part("broken", fails)) as (worker, _, _task):
        ends = time.monotonic() + 3
        while time.monotonic() < ends:
            assert "broken" in await worker.health.reasons()
            await asyncio.sleep(0.02)


async def test_a_late_part_turns_readiness_red_and_its_figures_are_shown() -> None:
    late = Part("slow", forever, late=lambda: "is an hour behind", figures=lambda: {"consumer_lag_records": 7.0})
    async with running(late) as (_, port, _task):
        assert await get(port, "/readyz") == (503, '{"ready":false,"reasons":{"slow":"is an hour behind"}}')
        assert (await get(port, "/livez"))[0] == 200
        assert 'consumer_lag_records{part="slow"} 7.0' in (await get(port, "/metrics"))[1]
        assert (await get(port, "/else"))[0] == 404


async def test_stopping_lets_a_part_finish_and_is_red_meanwhile() -> None:
    seen: list[object] = []
    may_finish = asyncio.Event()

    async def finish() -> None:
        seen.append("asked to finish")
        await may_finish.wait()
        seen.append("finished")

    async with running(Part("busy", forever, stop=finish)) as (worker, port, task):
        worker.stop()
        await asyncio.sleep(0.05)
        assert (await get(port, "/readyz"))[0] == 503
        assert await worker.health.reasons() == {"process": "is draining"}
        may_finish.set()
        await asyncio.wait_for(task, 5)
    assert seen == ["asked to finish", "finished"]


async def test_a_part_that_never_finishes_does_not_hold_the_process_up() -> None:
    async with running(Part("stuck", forever, stop=forever)) as (worker, _, task):
        worker.stop()
        await asyncio.wait_for(task, 5)
