"""What other teams write: the client's README as it stands, and two services in two languages that print the same events."""

import asyncio
import re
import secrets
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest
from uvicorn import Config, Server

from stack.ports import HOST, free_ports
from tests.client.strangers import AUDIT, BILLING, RATHER_LONG, built, program
from tests.people import Developer
from tests.product import Product
from tests.shared.until import until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]
ROOT = Path(__file__).parents[2]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "client" / "README.md").read_text("utf-8"), flags=re.DOTALL)


@asynccontextmanager
async def database(product: Product, *tables: str) -> AsyncIterator[tuple[str, asyncpg.Connection]]:
    """An empty database of the stranger's own, and a connection to look into it."""
    made = product.stack.fresh_database("stranger")
    db = await asyncpg.connect(made.owner)
    try:
        for table in tables:
            await db.execute(table)
        yield made.owner, db
    finally:
        await db.close()
        product.stack.drop(made)


async def rotated(developer: Developer, app_id: str) -> tuple[str, str]:
    """The pairs of a rotation: the old one, and the one that follows."""
    pair = await developer.generate(app_id)
    path = f"/v1/apps/{app_id}/keys/{pair['pair_id']}"
    etag = (await developer.call("GET", "keys", path)).headers["ETag"]
    answer = await developer.call("POST", "keys", f"{path}/regenerate", json={}, headers={"If-Match": etag})
    assert answer.status_code == 201, answer.text
    return pair["pair_id"], answer.json()["pair_id"]


def written(folder: Path, block: str) -> Path:
    """A block of the README as a file, unchanged."""
    file = folder / f"{secrets.token_hex(4)}.py"
    file.write_text(block, "utf-8")
    return file


def test_the_readme_has_the_four_programs_that_are_run_here() -> None:
    assert [block.split("latchkey.", 1)[1].split(" ", 1)[0] for block in BLOCKS] == ["consumer", "listening", "admission", "blocking"]
    consumer = BLOCKS[0][BLOCKS[0].index("class Apps") :]
    assert len([line for line in consumer.splitlines() if line.strip()]) <= 12


async def test_the_readmes_consumer_writes_its_rows(product: Product, developer: Developer, tmp_path: Path) -> None:
    app = await developer.add_app()
    async with database(product, "CREATE TABLE apps (app_id text PRIMARY KEY, owner_id text NOT NULL)") as (address, db):
        async with program(sys.executable, written(tmp_path, BLOCKS[0]), DATABASE_URL=address, KAFKA=product.stack.bootstrap) as output:

            async def arrived() -> bool:
                return bool(await db.fetchval("SELECT owner_id = $2 FROM apps WHERE app_id = $1", app["app_id"], developer.account_id))

            await until(arrived, RATHER_LONG)
        assert not [line for line in output.complaints if "Error" in line]


async def test_the_readmes_listener_prints_what_it_hears(product: Product, developer: Developer, tmp_path: Path) -> None:
    app = await developer.add_app()
    async with program(sys.executable, written(tmp_path, BLOCKS[1]), KAFKA=product.stack.bootstrap) as output:
        await rotated(developer, app["app_id"])
        await output.shows("/4 keys.KeyRotated.v1")


async def test_the_readmes_gate_and_blocking_verifier_judge_a_real_key(product: Product, developer: Developer, tmp_path: Path) -> None:
    app = await developer.add_app()
    secret = (await developer.generate(app["app_id"]))["secret_key"]
    async with served(BLOCKS[2], product.stack.bootstrap) as at:
        good = {"Authorization": f"Bearer {secret}"}

        async def admitted() -> bool:
            answer = await developer.http.get(at, headers=good)
            return (answer.status_code, answer.text) == (200, app["app_id"])

        await until(admitted, RATHER_LONG)
        assert (await developer.http.get(at)).status_code == 401
        assert (await developer.http.get(at, headers={"Authorization": "Bearer lk_sk_live_nonsense"})).json()["code"] == "MALFORMED"
    async with program(sys.executable, written(tmp_path, BLOCKS[3]), KAFKA=product.stack.bootstrap, KEY=secret) as output:
        await output.shows("VALID")


@asynccontextmanager
async def served(block: str, kafka: str) -> AsyncIterator[str]:
    """The README's ASGI app on a port."""
    names: dict[str, Any] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KAFKA", kafka)
        exec(block, names)  # noqa: S102 - the README is ours
    [port] = free_ports(1)
    server = Server(Config(names["gate"], host=HOST, port=port, log_level="warning", timeout_graceful_shutdown=2))
    running = asyncio.create_task(server.serve())
    try:

        async def started() -> bool:
            return server.started

        await until(started, RATHER_LONG)
        yield f"http://{HOST}:{port}/"
    finally:
        server.should_exit = True
        await running


async def test_two_services_in_two_languages_print_the_same_events(product: Product, http: httpx2.AsyncClient, tmp_path: Path) -> None:
    audit = await asyncio.to_thread(built, AUDIT, tmp_path)
    developers = [Developer(product, http) for _ in range(2)]
    apps = []
    for developer in developers:
        await developer.register()
        await developer.sign_in()
        await developer.subscribe()
        apps.append((await developer.add_app())["app_id"])
    async with database(product) as (address, db):
        kafka: Mapping[str, str] = {"KAFKA": product.stack.bootstrap}
        async with (
            program(*BILLING, DATABASE_URL=address, **kafka) as billing,
            program(audit, **kafka) as go,
        ):
            pairs = [await rotated(developer, app) for developer, app in zip(developers, apps, strict=True)]
            expected = [
                *(f"AppRegistered {app} " for app in apps),
                *(f"KeyRotated {app} live {old} {new}" for app, (old, new) in zip(apps, pairs, strict=True)),
            ]
            await billing.shows(*expected)
            await go.shows(*expected)

            async def the_same() -> bool:
                return sorted(billing.lines) == sorted(go.lines)

            await until(the_same, RATHER_LONG)
        assert set(apps) <= {row[0] for row in await db.fetch("SELECT app_id FROM customers")}
        assert [row[0] for row in await db.fetch("SELECT app_id FROM bill WHERE app_id = ANY($1) ORDER BY 1", apps)] == sorted(apps)
        assert len(set(go.lines)) == len(go.lines)
