"""I6: the read models are a function of the log, and operators can make them anew while users work."""

import asyncpg
import pytest

from services.registry.settings import Settings
from services.registry.wiring import build_core
from stack.databases import Database
from tests.registry.builders import FORM, context
from tests.registry.images import picture
from tests.registry.nameserver import serving
from tests.registry.owner import Owner, refused
from tests.registry.processes import ops
from tests.registry.test_erasing import erase

pytestmark = pytest.mark.stack


@pytest.fixture
def operators(settings: Settings, database: Database) -> Settings:
    """With the owner's rights."""
    return settings.model_copy(update={"owner_database_url": database.owner})


async def test_apps_and_subscriptions_are_rebuilt_equal(owner: Owner, stranger: Owner, operators: Settings, db: asyncpg.Connection) -> None:
    app = await owner.add()
    path = f"/v1/apps/{app['app_id']}"
    await owner.call("PATCH", path, json={"name": "Other", "email": "b@c.example", "city": None}, headers={"if-match": '"1"'})
    await owner.call("PUT", f"{path}/logo", content=picture())
    for turn in ("disable", "archive", "restore", "enable"):
        await owner.call("POST", f"{path}/{turn}")
    await stranger.add("Never seen again")
    await stranger.call("DELETE", f"/v1/subscriptions/{await stranger.subscribe()}")
    await erase(operators, stranger.account_id)
    before = await owner.get(app["app_id"])
    for view in ("apps", "subscriptions"):
        version = await db.fetchval("SELECT version FROM es.active WHERE projection = $1", view)
        status, printed = await ops(operators, "rebuild", view, "--verify")
        assert status == 0, printed
        assert await db.fetchval("SELECT version FROM es.active WHERE projection = $1", view) == version + 1
    assert await owner.get(app["app_id"]) == before
    assert await db.fetchval("SELECT count(*) FROM apps WHERE owner_id = $1", stranger.account_id) == 0
    await owner.add()
    refused(await owner.call("POST", "/v1/apps", json=FORM), 409, "registry.name_taken")


async def test_domains_are_rebuilt_equal(owner: Owner, stranger: Owner, operators: Settings, db: asyncpg.Connection) -> None:
    kept, gone = await owner.add(), await stranger.add()
    for who, app in ((owner, kept), (stranger, gone)):
        for domain in ("a.example", "b.example", "c.example"):
            await who.call("POST", f"/v1/apps/{app['app_id']}/domains", json={"domain": domain})
    async with serving() as nameserver:
        nameserver.texts = {item["record"]["name"]: [item["record"]["value"]] for item in await owner.domains(kept["app_id"])}
        async with build_core(operators.model_copy(update={"dns_servers": nameserver.address}), listen=False) as core:
            for domain in ("a.example", "b.example"):
                await core.domains.verify(kept["app_id"], domain, context(owner.account_id))
    await owner.call("DELETE", f"/v1/apps/{kept['app_id']}/domains/b.example")
    await owner.call("POST", f"/v1/apps/{kept['app_id']}/domains", json={"domain": "b.example"})
    await erase(operators, stranger.account_id)
    before = await owner.domains(kept["app_id"])
    assert [(item["domain"], item["status"]) for item in before] == [
        ("a.example", "verified"), ("b.example", "pending"), ("c.example", "pending"),
    ]  # fmt: skip
    status, printed = await ops(operators, "rebuild", "domains", "--verify")
    assert (status, "equal to the version before" in " ".join(printed.split())) == (0, True), printed
    assert await owner.domains(kept["app_id"]) == before
    assert await db.fetchval("SELECT count(*) FROM domains WHERE app_id = $1", gone["app_id"]) == 0


async def test_an_operator_sees_an_apps_events_and_that_nobody_changed_them(owner: Owner, operators: Settings) -> None:
    app = await owner.add(email="needle@example.com")
    status, shown = await ops(operators, "events", "show", app["app_id"])
    assert (status, "registry.AppRegistered" in shown, "needle" in shown) == (0, True, False)
    status, shown = await ops(operators, "events", "show", app["app_id"], "--reveal")
    assert (status, "needle@example.com" in shown) == (0, True)
    status, shown = await ops(operators, "verify-chain", app["app_id"])
    assert status == 0, shown


async def test_migrating_again_does_nothing(operators: Settings) -> None:
    assert await ops(operators, "migrate") == (0, "The database is at the present schema.\n")
