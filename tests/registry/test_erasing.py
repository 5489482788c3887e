"""What becomes of an account's apps when identity says that it was erased: through Kafka, once, for ever."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import asyncpg
import pytest
from latchkey.envelope import Envelope, decode, encode, splice
from latchkey.events.identity import AccountErased

from services.registry.queries import RegistryQueries
from services.registry.reactions import Reactions
from services.registry.settings import Settings
from services.registry.wiring import build_core
from tests.registry.builders import a_form
from tests.registry.images import picture
from tests.registry.owner import Owner, refused

pytestmark = pytest.mark.stack
NOW = datetime(2026, 11, 23, 13, 0, tzinfo=UTC)


def erased(account_id: str) -> Envelope:
    """What identity says."""
    frozen = encode(
        AccountErased(account_id=account_id), source="/identity", stream_id=account_id, streamversion=3, time=NOW, tenant=account_id,
        correlation_id="req_1", causation_id=None, traceparent=None,
    )  # fmt: skip
    return decode(splice(frozen, 9))


async def erase(settings: Settings, account_id: str, times: int = 1) -> None:
    """What the worker does when it hears of it, this many times."""
    async with build_core(settings, listen=False) as core:
        reactions = Reactions(core.apps, RegistryQueries(core.pool), lambda: NOW)
        for _ in range(times):
            await reactions.on_account_erased(erased(account_id))


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


async def test_an_app_that_is_registered_while_its_account_is_erased_is_erased_too(
    owner: Owner, settings: Settings, db: asyncpg.Connection
) -> None:
    late: list[str] = []

    class Slow(RegistryQueries):
        async def list_app_ids(self, *, tenant: str) -> Sequence[str]:
            found = await super().list_app_ids(tenant=tenant)
            if not late:
                late.append((await owner.add("At the last moment"))["app_id"])
            return found

    async with build_core(settings, listen=False) as core:
        await Reactions(core.apps, Slow(core.pool), lambda: NOW).on_account_erased(erased(owner.account_id))
    assert (await types_of(db, late[0]))[-1] == "registry.AppErased"


async def test_registrations_and_the_erasure_of_their_account_at_once_leave_no_app(
    owner: Owner, settings: Settings, db: asyncpg.Connection
) -> None:
    adds = [asyncio.create_task(owner.call("POST", "/v1/apps", json=a_form(name=f"Shop {n}"))) for n in range(40)]
    await asyncio.wait(adds, return_when=asyncio.FIRST_COMPLETED)
    await erase(settings, owner.account_id)
    answers = await asyncio.gather(*adds)
    made = [answer.json()["app_id"] for answer in answers if answer.status_code == 201]
    assert made
    for app_id in made:
        assert (await types_of(db, app_id))[-1] == "registry.AppErased"


async def test_an_account_without_apps_is_erased_too(newcomer: Owner, settings: Settings) -> None:
    await erase(settings, newcomer.account_id, times=2)
    assert await newcomer.names(status="archived") == []
