"""The running product and a developer to walk through it."""

from collections.abc import AsyncIterator

import httpx2
import pytest

from tests.people import Developer
from tests.product import Product


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    """A client of its own for each test."""
    async with httpx2.AsyncClient(timeout=20) as client:
        yield client


@pytest.fixture
async def developer(product: Product, http: httpx2.AsyncClient) -> Developer:
    """Registered, verified, signed in and subscribed."""
    made = Developer(product, http)
    await made.register()
    assert (await made.sign_in()).status_code == 201
    await made.subscribe()
    return made
