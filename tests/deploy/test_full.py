"""Disks that are full: what cannot be kept is refused with a word, nothing acknowledged is lost, and with room again it goes on."""

import asyncio
import time
from collections.abc import Iterator

import httpx2
import pytest

from tests.deploy.conftest import opened
from tests.deploy.deployment import Deployment, alone, another
from tests.faults.conftest import under_load
from tests.faults.ledger import Ledger, check
from tests.people import FORM

pytestmark = [pytest.mark.containers, pytest.mark.long, pytest.mark.timeout(1800)]
PATIENCE = 180.0


@pytest.fixture(scope="module")
def small(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """A deployment whose disks are small."""
    folder = tmp_path_factory.mktemp("deployments") / "small"
    with alone(deployment), another(deployment, folder, "tests/deploy/small.yml") as made:
        made.up()
        yield made


@pytest.fixture
async def written(small: Deployment, http: httpx2.AsyncClient) -> Ledger:
    """Something to lose."""
    return await opened(small, http)


def fill(small: Deployment, store: str) -> None:
    """Leave no room on the disk of this store."""
    small.compose("exec", "-T", "filler", "bash", "-c", f"cat /dev/zero > /data/{store}/ballast", check=False)
    assert " 100% " in small.compose("exec", "-T", "filler", "df", f"/data/{store}").stdout


def empty(small: Deployment, store: str) -> None:
    small.compose("exec", "-T", "filler", "rm", f"/data/{store}/ballast")


def says(small: Deployment, store: str, words: str) -> bool:
    return words in small.compose("logs", "--no-color", store).stdout


async def goes_on(ledger: Ledger) -> None:
    before = len(ledger.told)
    deadline = time.monotonic() + PATIENCE
    while sum(outcome == "ok" for outcome in list(ledger.told.values())[before:]) <= 10:
        assert time.monotonic() < deadline, list(ledger.told.values())[-10:]
        await asyncio.sleep(0.2)


async def test_postgresql_without_room_refuses_and_recovers_by_itself(small: Deployment, written: Ledger) -> None:
    async with under_load(written, writers=2):
        await asyncio.to_thread(fill, small, "postgres")
        answer = await _refusal(written)
        await asyncio.to_thread(empty, small, "postgres")
        await goes_on(written)
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"].startswith("service.")
    assert says(small, "postgres", "No space left on device")
    await check(small, written)


async def _refusal(ledger: Ledger) -> httpx2.Response:
    """What a command is answered that finds no room."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        answer = await ledger.developer.call("POST", "registry", "/v1/apps", json=FORM | {"name": f"Shop {time.monotonic_ns()}"})
        if answer.status_code == 503:
            return answer
    raise AssertionError("a disk without room is written to")


async def test_kafka_without_room_holds_up_events_and_no_command(small: Deployment, written: Ledger) -> None:
    async with under_load(written, writers=2):
        await asyncio.to_thread(fill, small, "kafka")
        deadline = time.monotonic() + PATIENCE
        while not await asyncio.to_thread(says, small, "kafka", "No space left on device"):
            assert time.monotonic() < deadline
            await asyncio.sleep(1)
        await written.developer.add_app()
        await asyncio.to_thread(empty, small, "kafka")
        await asyncio.to_thread(small.up)
        await goes_on(written)
    await check(small, written)
