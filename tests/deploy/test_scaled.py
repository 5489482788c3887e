"""Two of each process: one leads, the other takes over; consumers share the partitions; a killed replica costs nothing but its requests."""

import asyncio
import re
import subprocess
from collections.abc import Iterator
from functools import partial

import pytest

from tests.deploy.deployment import PROCESSES, Deployment
from tests.faults.conftest import under_load
from tests.faults.ledger import Ledger, check
from tests.shared.until import until

pytestmark = [pytest.mark.containers, pytest.mark.long, pytest.mark.timeout(1800)]
PORTS = {"identity-worker": 10001, "registry-worker": 10002, "keys-worker": 10003, "metrics-worker": 10004}
_FIGURES = "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:{port}/metrics', timeout=10).read().decode())"


@pytest.fixture(scope="module")
def scaled(deployment: Deployment) -> Iterator[Deployment]:
    """Two of each, and one of each again afterwards."""
    with deployment.overlaid("scale.yml"):
        yield deployment


def replicas(deployment: Deployment, name: str) -> list[str]:
    return deployment.compose("ps", "-q", name).stdout.split()


def figure(container: str, worker: str, series: str) -> float:
    """A figure of one replica; 0 where it has none, or is gone."""
    command = ["docker", "exec", container, "python", "-c", _FIGURES.format(port=PORTS[worker])]
    shown = subprocess.run(command, check=False, capture_output=True, text=True).stdout
    found = re.search(rf"^{re.escape(series)} (\S+)$", shown, re.MULTILINE)
    return float(found[1]) if found else 0.0


def leaders(deployment: Deployment, worker: str) -> list[str]:
    return [each for each in replicas(deployment, worker) if figure(each, worker, "relay_leading") == 1]


async def kill(container: str) -> None:
    await asyncio.to_thread(subprocess.run, ["docker", "kill", container], check=True, capture_output=True)


def acknowledged(ledger: Ledger) -> int:
    return sum(outcome == "ok" for outcome in ledger.told.values())


async def more_is_acknowledged(ledger: Ledger, *, within: float) -> None:
    before = acknowledged(ledger)

    async def more() -> bool:
        return acknowledged(ledger) >= before + 30

    await until(more, within)


def test_there_are_two_of_each_and_one_of_the_workers_leads(scaled: Deployment) -> None:
    assert {name: len(replicas(scaled, name)) for name in (*PROCESSES, "portal")} == dict.fromkeys((*PROCESSES, "portal"), 2)
    assert {worker: len(leaders(scaled, worker)) for worker in PORTS} == dict.fromkeys(PORTS, 1)


async def test_the_other_relay_takes_over_and_loses_nothing(scaled: Deployment, ledger: Ledger) -> None:
    async with under_load(ledger, writers=2):
        await more_is_acknowledged(ledger, within=60)
        for worker in ("keys-worker", "metrics-worker"):
            [leader] = leaders(scaled, worker)
            await kill(leader)
            await until(partial(asyncio.to_thread, leaders, scaled, worker), 60)
            assert leader not in leaders(scaled, worker)
            await more_is_acknowledged(ledger, within=60)
    await asyncio.to_thread(scaled.up)
    await check(scaled, ledger)


async def test_apis_serve_on_while_one_of_two_is_gone(scaled: Deployment, ledger: Ledger) -> None:
    async with under_load(ledger, writers=2):
        for name in ("metrics-main", "registry-main", "identity-main", "keys-main"):
            await more_is_acknowledged(ledger, within=60)
            await kill(replicas(scaled, name)[0])
            await more_is_acknowledged(ledger, within=60)
    assert sum(outcome != "ok" for outcome in ledger.told.values()) <= 3 * 2 * 4  # what was in flight: a batch of each writer at each kill
    await asyncio.to_thread(scaled.up)
    await check(scaled, ledger)


async def test_consumers_share_the_partitions_and_one_takes_all_when_the_other_is_gone(scaled: Deployment, ledger: Ledger) -> None:
    series, worker = 'consumer_applied{part="apps"}', "metrics-worker"
    first, second = replicas(scaled, worker)
    async with under_load(ledger, writers=1):
        await _both_applied(first, second, worker, series)
        await kill(first)
        known = len(ledger.apps)

        async def twenty_more() -> bool:
            return len(ledger.apps) >= known + 20

        await until(twenty_more, 90)
    latest = next(iter(list(ledger.apps.values())[-1]))
    assert await ledger.developer.sees(latest, patience=60)
    await asyncio.to_thread(scaled.up)
    await check(scaled, ledger)


async def _both_applied(first: str, second: str, worker: str, series: str) -> None:
    started = [figure(each, worker, series) for each in (first, second)]

    def applied() -> bool:
        return all(figure(each, worker, series) > at for each, at in zip((first, second), started, strict=True))

    await until(partial(asyncio.to_thread, applied), 90)
