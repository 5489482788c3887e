"""One toy service for all tests of the HTTP kit: built once, its memory emptied before each test."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import httpx2 as httpx
import pytest

from shared.http.app import ServiceApp
from shared.http.revocations import Heard
from tests.shared.http.toy_api import Things, toy


@dataclass(frozen=True)
class Built:
    """The app, what stands behind its routes, and what it has heard of ended sessions."""

    app: ServiceApp
    things: Things
    heard: Heard


@pytest.fixture(scope="session")
def built() -> Built:
    """Give the whole toy."""
    things, heard = Things(), Heard()
    return Built(toy(things, heard), things, heard)


@pytest.fixture
def things(built: Built) -> Things:
    """Give what stands behind the routes, as if nothing had happened yet."""
    built.things.contexts.clear()
    built.things.callers.clear()
    built.things.seen.clear()
    built.things.raises = None
    return built.things


@pytest.fixture
async def api(built: Built, things: Things) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client that speaks to the toy without a socket."""
    assert things is built.things
    transport = httpx.ASGITransport(built.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://toy") as client:
        yield client


Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    """Give the JSON lines that were logged since the last look."""
    from pydantic_core import from_json

    return lambda: [from_json(line) for line in capsys.readouterr().out.splitlines()]
