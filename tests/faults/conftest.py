"""A product to be broken: its own stack, its own ports, and a developer with an app and keys."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
import pytest

from tests.faults.ledger import Ledger
from tests.people import Developer
from tests.product import Product


@pytest.fixture
async def ledger(product: Product) -> AsyncIterator[Ledger]:
    """A fresh app of a fresh account, and nothing written to it yet."""
    async with httpx2.AsyncClient(timeout=15) as http:
        developer = Developer(product, http)
        app, pair = await developer.everything(patience=45)
        yield Ledger(developer, app["app_id"], pair["secret_key"])


@asynccontextmanager
async def under_load(ledger: Ledger, writers: int = 6) -> AsyncIterator[None]:
    """Writes go on from before the block until after it."""
    stop = asyncio.Event()
    load = asyncio.create_task(ledger.load(writers, stop))
    try:
        await asyncio.sleep(0.5)
        yield
        await asyncio.sleep(0.5)
    finally:
        stop.set()
        await load
