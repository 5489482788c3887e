"""What becomes of an account's apps when identity says that it was erased: through Kafka, once, for ever."""

from datetime import UTC, datetime

import asyncpg
import pytest
from latchkey.envelope import decode, encode, splice
from latchkey.events.identity import AccountErased

from services.registry.queries import RegistryQueries
from services.registry.reactions import Reactions
from services.registry.settings import Settings
from services.registry.wiring import build_core
from tests.registry.images import picture
from tests.registry.owner import Owner, refused

pytestmark = pytest.mark.stack
NOW = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)


async def erase(settings: Settings, account_id: str, times: int = 1) -> None:
    """What the worker does when it hears of it, this many times."""
    frozen = encode(
        AccountErased(account_id=account_id), source="/identity", stream_id=account_id, streamversion=3, time=NOW, tenant=account_id,
        correlation_id="req_1", causation_id=None, traceparent=None,
    )  # fmt: skip
    envelope = decode(splice(frozen, 9))
    async with build_core(settings, listen=False) as core:
        reactions = Reactions(core.apps, RegistryQueries(core.pool), lambda: NOW)
        for _ in range(times):
            await reactions.on_account_erased(envelope)


async def types_of(db: asyncpg.Connection, stream_id: str) -> list[str]:
    """What happened to a stream."""
    return [row[0] for row in await db.fetch("SELECT type FROM es.events WHERE stream_id = $1 ORDER BY version", stream_id)]


async def test_an_erased_accounts_apps_are_gone_and_nobody_elses(
    owner: Owner, stranger: Owner, settings: Settings, db: asyncpg.Connection
) -> None:
    active, archived, theirs = await owner.add("One"), await owner.add("Two"), await stranger.add()
    await owner.call("PUT", f"/v1/apps/{active['app_id']}/logo", content=picture())
    await owner.call("POST", f"/v1/apps/{archived['app_id']}/archive")
    await erase(settings, owner.account_id, times=3)
    assert (await types_of(db, active["app_id"]))[-2:] == ["registry.AppArchived", "registry.AppErased"]
    assert (await types_of(db, archived["app_id"]))[-2:] == ["registry.AppArchived", "registry.AppErased"]
    assert await owner.names(status="archived") == []
    refused(await owner.call("GET", f"/v1/apps/{active['app_id']}"), 404, "resource.not_found")
    refused(await owner.call("POST", f"/v1/apps/{active['app_id']}/restore"), 404, "resource.not_found")
    assert (await owner.call("GET", "/v1/subscriptions")).json()["items"] == []
    assert await stranger.get(theirs["app_id"]) == theirs


async def test_nothing_personal_is_left_that_anybody_could_read(owner: Owner, settings: Settings, db: asyncpg.Connection) -> None:
    app = await owner.add(email="needle@example.com", address="Needle Street", city="Needleton", phone="+12156199901")
    path = f"/v1/apps/{app['app_id']}"
    await owner.call("PATCH", path, json={"email": "needle2@example.com"}, headers={"if-match": '"1"'})
    await erase(settings, owner.account_id)
    tables = await db.fetch("SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname IN ('es', 'public')")
    for (table,) in tables:
        held = await db.fetchval(f"SELECT count(*) FROM {table} AS row WHERE row::text ILIKE '%needle%' OR row::text LIKE '%2156199901%'")
        assert held == 0, table
    key = await db.fetchrow("SELECT wrapped_key, shredded_at FROM es.subject_keys WHERE subject_id = $1", app["app_id"])
    assert key is not None
    assert key["wrapped_key"] is None
    assert key["shredded_at"] is not None
    states = await db.fetchval("SELECT states::text FROM es.events WHERE stream_id = $1 ORDER BY version DESC LIMIT 1", app["app_id"])
    assert states == f'[["registry.app.state.v1", "{app["app_id"]}", null]]'


async def test_contact_data_is_never_in_the_log_in_clear(owner: Owner, db: asyncpg.Connection) -> None:
    app = await owner.add(email="needle@example.com", address="Needle Street", city="Needleton", postal_code="19003-7777")
    rows = await db.fetch(
        "SELECT data::text, convert_from(public, 'UTF8'), states::text FROM es.events WHERE stream_id = $1", app["app_id"]
    )
    for text in [str(value) for row in rows for value in row]:
        for personal in ("needle", "Needle", "19003", "2156199900"):
            assert personal not in text


async def test_an_account_without_apps_is_erased_too(newcomer: Owner, settings: Settings) -> None:
    await erase(settings, newcomer.account_id, times=2)
    assert await newcomer.names(status="archived") == []
