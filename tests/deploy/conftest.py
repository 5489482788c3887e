"""One deployment for all tests of this folder: images built, `docker compose up --wait`, gone afterwards."""

from collections.abc import AsyncIterator, Iterator

import httpx2
import pytest

from tests.deploy.deployment import Deployment, deployed
from tests.faults.ledger import Ledger
from tests.people import Developer


@pytest.fixture(scope="session")
def deployment() -> Iterator[Deployment]:
    """Everything, up and healthy."""
    with deployed() as made:
        yield made


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    """A client of its own for each test."""
    async with httpx2.AsyncClient(timeout=60) as client:
        yield client


@pytest.fixture
async def ledger(deployment: Deployment, http: httpx2.AsyncClient) -> Ledger:
    """A fresh app of a fresh account, and nothing written to it yet."""
    return await opened(deployment, http)


async def opened(deployment: Deployment, http: httpx2.AsyncClient) -> Ledger:
    """The ledger of a fresh app there."""
    developer = Developer(deployment, http)
    app, pair = await developer.everything(patience=60)
    return Ledger(developer, app["app_id"], pair["secret_key"])
