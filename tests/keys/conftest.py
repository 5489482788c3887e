"""The keys service on a real database: one a module, with an app of its own for each test."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx2 as httpx
import pytest
from jwt.algorithms import OKPAlgorithm

from services.keys.settings import Settings
from services.keys.wiring import MIGRATIONS, VIEWS, build_main
from shared.http.app import ServiceApp
from shared.ids import new_id
from shared.store.migrations import migrate
from stack.databases import Database
from stack.testing import RealStack
from tests.shared.until import until
from tests.tokens import KEY_ID, PRIVATE, machine, person

MASTER = bytes(range(100, 132))


@dataclass(frozen=True)
class Running:
    """The service's app, a client of it, and an app and owner that no other test knows."""

    app: ServiceApp
    http: httpx.AsyncClient
    settings: Settings
    db: asyncpg.Connection
    app_id: str
    owner: str

    @property
    def path(self) -> str:
        return f"/v1/apps/{self.app_id}/keys"

    @property
    def me(self) -> dict[str, str]:
        return person(self.owner)

    async def generate(self, environment: str = "test", **rules: Any) -> dict[str, Any]:
        """A new pair, with its secret."""
        answer = await self.http.post(self.path, json={"environment": environment, **rules}, headers=self.me)
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def post(
        self, pair: dict[str, Any], what: str, body: dict[str, Any] | None = None, *, match: str = "", key: str = ""
    ) -> httpx.Response:
        """A command on a pair; `match` is an ETag, `key` an Idempotency-Key."""
        conditions = {name: value for name, value in (("If-Match", match), ("Idempotency-Key", key)) if value}
        return await self.http.post(f"{self.path}/{pair['pair_id']}/{what}", json=body or {}, headers=self.me | conditions)

    async def regenerate(self, pair: dict[str, Any], overlap_seconds: int = 0) -> dict[str, Any]:
        """The pair that follows."""
        seen = await self.http.get(f"{self.path}/{pair['pair_id']}", headers=self.me)
        answer = await self.post(pair, "regenerate", {"overlap_seconds": overlap_seconds}, match=seen.headers["etag"])
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def verify(self, key: str, **more: str) -> httpx.Response:
        """What a machine of the platform is told about a key."""
        return await self.http.post("/v1/keys/verify", json={"key": key, **more}, headers=machine("keys:verify"))

    async def code(self, key: str, **more: str) -> str:
        """The code of that."""
        answer = await self.verify(key, **more)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["code"])

    async def becomes(self, key: str, code: str, seconds: float = 5.0) -> None:
        """Wait until the key's code is this one."""

        async def has_become() -> bool:
            return await self.code(key) == code

        await until(has_become, seconds)


@pytest.fixture(scope="module")
def database(stack: RealStack) -> Iterator[Database]:
    """A migrated database of the keys service."""
    made = stack.fresh_database("keys")
    asyncio.run(migrate(made.owner, MIGRATIONS, VIEWS))
    yield made
    stack.drop(made)


@asynccontextmanager
async def key_set() -> AsyncIterator[str]:
    """The address of an identity that publishes the tests' signing key and does nothing else."""
    jwk = json.loads(OKPAlgorithm.to_jwk(PRIVATE.public_key())) | {"kid": KEY_ID, "use": "sig"}
    body = json.dumps({"keys": [jwk]}).encode()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % len(body))
        writer.write(body)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


@pytest.fixture
def settings_without_identity(stack: RealStack, database: Database) -> Settings:
    """The settings of both processes, for whoever has an identity of their own."""
    return Settings(
        database_url=database.app, owner_database_url=database.owner, read_database_url=database.read, redis_url=stack.redis_url,
        kafka_bootstrap=stack.bootstrap, identity_url="http://127.0.0.1:9", master_key=MASTER, verifier_bound_ms=1_000,
    )  # fmt: skip


@pytest.fixture
async def settings(settings_without_identity: Settings) -> AsyncIterator[Settings]:
    """The settings of both processes, beside an identity that answers."""
    async with key_set() as identity_url:
        yield settings_without_identity.model_copy(update={"identity_url": identity_url})


async def seed(db: asyncpg.Connection, app_id: str, owner: str, *, subscribed: bool = True) -> None:
    """An app and its subscription, as if registry had told of them."""
    await db.execute("INSERT INTO apps VALUES ($1, $2, 'latchkey-pay')", app_id, owner)
    if subscribed:
        await db.execute("INSERT INTO subscriptions VALUES ($1, 'latchkey-pay', 'sub_1', true, 1) ON CONFLICT DO NOTHING", owner)


@asynccontextmanager
async def serving(settings: Settings, *, known: bool = True) -> AsyncIterator[Running]:
    """The service's main process, without the sockets; `known` says whether the app has arrived from registry."""
    async with AsyncExitStack() as opened:
        app = await opened.enter_async_context(build_main(settings))
        http = await opened.enter_async_context(httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://keys"))
        db = await asyncpg.connect(settings.owner_database_url)
        opened.push_async_callback(db.close)
        running = Running(app, http, settings, db, new_id("app"), new_id("acc"))
        if known:
            await seed(db, running.app_id, running.owner)

        async def ready() -> bool:
            return not await app.health.reasons()

        await until(ready)
        yield running


@pytest.fixture
async def keys(settings: Settings) -> AsyncIterator[Running]:
    """The service with an app that is known to it."""
    async with serving(settings) as running:
        yield running
