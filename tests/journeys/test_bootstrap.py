"""What retention took comes from the feeds: a consumer that starts late, a worker that was away for long, a view that is made anew."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import asyncpg
import httpx2
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete
from latchkey.consumer import Consumer, install
from latchkey.envelope import Envelope
from latchkey.feed import Feed, ServiceToken
from latchkey.statereader import read_states
from latchkey.topics import (
    IDENTITY_ACCOUNT_EVENTS,
    KEYS_KEYRING_EVENTS,
    REGISTRY_APP_EVENTS,
    REGISTRY_APP_STATE,
    REGISTRY_SUBSCRIPTION_EVENTS,
)

from stack.databases import Database
from tests.client.conftest import QUICK
from tests.people import Developer
from tests.product import Product
from tests.shared.until import until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]
TOPICS = (IDENTITY_ACCOUNT_EVENTS, KEYS_KEYRING_EVENTS, REGISTRY_APP_EVENTS, REGISTRY_SUBSCRIPTION_EVENTS)
APPS = "SELECT * FROM apps ORDER BY app_id"
HEARD = "SELECT stream_id, version, type, data::text FROM heard ORDER BY stream_id, version"


class Everything:
    """One row an event; a second time would break the key."""

    async def apply(self, db: asyncpg.Connection, events: Sequence[Envelope]) -> None:
        """See Handler."""
        rows = [(event.subject, event.streamversion, event.type, event.data.model_dump_json()) for event in events if event.data]
        await db.executemany("INSERT INTO heard VALUES ($1, $2, $3, $4)", rows)


@asynccontextmanager
async def consuming(product: Product, database: Database, feeds: Mapping[str, Feed] | None) -> AsyncIterator[asyncpg.Pool]:
    """A stranger's consumer in a database of its own."""
    async with asyncpg.create_pool(database.owner, min_size=1, max_size=6) as pool:
        async with pool.acquire() as owner:
            await install(owner)  # type: ignore[arg-type]  # the pool's proxy has every method of a connection
            await owner.execute("CREATE TABLE heard (stream_id text, version int, type text, data json, PRIMARY KEY (stream_id, version))")
        group = f"test-{secrets.token_hex(8)}"
        consumer = Consumer(product.stack.bootstrap, pool, Everything(), TOPICS, group, name="heard", policy=QUICK, source=feeds)
        running = asyncio.create_task(consumer.run())
        try:
            yield pool
        finally:
            await consumer.stop()
            await running


@asynccontextmanager
async def reading_feeds(product: Product) -> AsyncIterator[Mapping[str, Feed]]:
    async with httpx2.AsyncClient(timeout=20) as http:
        token = ServiceToken(http, product.at["identity"], product.machine["id"], product.machine["secret"])
        by_service = {service: Feed(http, url, token) for service, url in product.at.items()}
        yield {topic: by_service[topic.partition(".")[0]] for topic in TOPICS}


async def forget_everything(product: Product) -> None:
    """Delete every record that the topics hold now, as retention does; all of it has been relayed."""
    await relayed(product)
    bootstrap = product.stack.bootstrap
    reader = AIOKafkaConsumer(*TOPICS, bootstrap_servers=bootstrap)
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await reader.start()
    await admin.start()
    try:
        ends: dict[TopicPartition, int] = await reader.end_offsets(list(reader.assignment()))
        assert sum(ends.values()) > 0
        await admin.delete_records({part: RecordsToDelete(before_offset=end) for part, end in ends.items() if end})
        assert await reader.beginning_offsets(list(ends)) == ends
    finally:
        await admin.close()
        await reader.stop()


async def relayed(product: Product) -> None:
    for service in product.services.values():
        db = await asyncpg.connect(service.database.owner)
        try:
            waiting = (
                "SELECT count(*) FROM es.events WHERE public IS NOT NULL AND position > (SELECT coalesce(max(position), 0) FROM es.relay)"
            )

            async def published(db: asyncpg.Connection = db, waiting: str = waiting) -> bool:
                return bool(await db.fetchval(waiting) == 0)

            await until(published, 60)
        finally:
            await db.close()


async def life(product: Product, http: httpx2.AsyncClient) -> Developer:
    """An account with an app whose keys were rotated."""
    developer = Developer(product, http)
    app, pair = await developer.everything(patience=20)
    path = f"/v1/apps/{app['app_id']}/keys/{pair['pair_id']}"
    etag = (await developer.call("GET", "keys", path)).headers["ETag"]
    rotated = await developer.call("POST", "keys", f"{path}/regenerate", json={}, headers={"If-Match": etag})
    assert rotated.status_code == 201, rotated.text
    return developer


async def test_a_consumer_that_starts_after_retention_ends_with_the_same_rows(product: Product, http: httpx2.AsyncClient) -> None:
    early, late = product.stack.fresh_database("early"), product.stack.fresh_database("late")
    async with reading_feeds(product) as feeds, consuming(product, early, feeds) as saw_everything:
        await life(product, http)
        going_on = await life(product, http)
        await forget_everything(product)
        async with consuming(product, late, feeds) as came_late:
            await life(product, http)
            account = await going_on.call("GET", "identity", "/v1/account")
            erased = await going_on.call("DELETE", "identity", "/v1/account", headers={"If-Match": account.headers["ETag"]})
            assert erased.is_success

            async def the_same() -> bool:
                await relayed(product)
                heard = await saw_everything.fetch(HEARD)
                return len(heard) > 30 and any(row[2] == "registry.AppErased.v1" for row in heard) and heard == await came_late.fetch(HEARD)

            await until(the_same, 90)
            await assert_the_topic_of_states_agrees(product, came_late)
            for pool in (saw_everything, came_late):
                assert await pool.fetchval("SELECT count(*) FROM latchkey.parked") == 0
            assert await came_late.fetchval("SELECT count(*) FROM latchkey.seen") == await saw_everything.fetchval(
                "SELECT count(*) FROM latchkey.seen"
            )


async def assert_the_topic_of_states_agrees(product: Product, pool: asyncpg.Pool) -> None:
    """Of every app that the rows know there is the state at its last version, or a tombstone when it was erased."""
    snapshot = await read_states(product.stack.bootstrap, REGISTRY_APP_STATE)
    rows = await pool.fetch("SELECT stream_id, max(version), bool_or(type = 'registry.AppErased.v1') FROM heard GROUP BY 1")
    apps = [row for row in rows if row[0].startswith("app_")]
    assert {row[0] for row in apps if row[2]} <= snapshot.ended
    assert {row[0]: row[1] for row in apps if not row[2]}.items() <= {
        id_: one.streamversion for id_, one in snapshot.states.items()
    }.items()
    assert {row[2] for row in apps} == {True, False}


async def test_a_worker_that_was_away_for_longer_than_retention_misses_nothing(product: Product, http: httpx2.AsyncClient) -> None:
    product.kill("metrics-worker")
    developer = await life(product, http)
    [app] = (await developer.call("GET", "registry", "/v1/apps")).json()["items"]
    await developer.call("POST", "registry", f"/v1/apps/{app['app_id']}/disable")
    await forget_everything(product)
    product.start("metrics-worker")
    assert await developer.sees(app["app_id"], patience=40)
    db = await asyncpg.connect(product.services["metrics"].database.owner)
    try:
        assert await db.fetchval("SELECT count(*) FROM latchkey.parked") == 0
        assert await db.fetchval("SELECT status FROM apps WHERE app_id = $1", app["app_id"]) == "disabled"
    finally:
        await db.close()


async def test_a_view_that_others_feed_is_made_anew_or_stays_as_it_is(product: Product, http: httpx2.AsyncClient) -> None:
    await life(product, http)
    await forget_everything(product)
    db = await asyncpg.connect(product.services["keys"].database.owner)
    try:
        before = await db.fetch(APPS)
        assert before
        product.kill("registry-main")
        refused = await asyncio.to_thread(product.operate, "keys", "rebuild", "foreign")
        assert refused.returncode == 1
        assert "foreign is as it was: a service that feeds it does not answer" in refused.stderr
        assert await db.fetch(APPS) == before
        product.start("registry-main")
        await db.execute("DELETE FROM apps")
        differs = await asyncio.to_thread(product.operate, "keys", "rebuild", "foreign", "--verify")
        assert differs.returncode == 1
        assert "no such row" in differs.stdout
        assert await db.fetch(APPS) == []
        done = await asyncio.to_thread(product.operate, "keys", "rebuild", "foreign")
        assert done.returncode == 0, done.stderr
        assert "foreign: made anew from the feeds" in done.stdout
        assert await db.fetch(APPS) == before
    finally:
        await db.close()
    # What happens afterwards still arrives, and the service's own role can write it.
    await life(product, http)


@pytest.mark.parametrize("view", ["apps", "pairs"])
async def test_the_views_of_metrics_are_made_anew(product: Product, http: httpx2.AsyncClient, view: str) -> None:
    developer = await life(product, http)
    [app] = (await developer.call("GET", "registry", "/v1/apps")).json()["items"]
    assert await developer.sees(app["app_id"], patience=40)
    await forget_everything(product)
    db = await asyncpg.connect(product.services["metrics"].database.owner)
    try:
        rows = f"SELECT * FROM {view} t WHERE app_id = $1 ORDER BY t::text"
        await until(lambda: db.fetch(rows, app["app_id"]), 60)
        before = await db.fetch(rows, app["app_id"])
        await db.execute(f"DELETE FROM {view}")
        done = await asyncio.to_thread(product.operate, "metrics", "rebuild", view)
        assert done.returncode == 0, done.stderr
        assert await db.fetch(rows, app["app_id"]) == before
    finally:
        await db.close()
    assert await developer.sees(app["app_id"], patience=1)


async def test_a_rebuild_goes_on_beside_a_consumer_at_work(product: Product, http: httpx2.AsyncClient) -> None:
    registering = asyncio.gather(*(Developer(product, http).everything(patience=30) for _ in range(4)))
    for _ in range(3):
        done = await asyncio.to_thread(product.operate, "keys", "rebuild", "foreign")
        assert done.returncode == 0, done.stderr
    await registering
    await relayed(product)
    verified = await asyncio.to_thread(product.operate, "keys", "rebuild", "foreign", "--verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_without_a_client_for_the_feeds_a_rebuild_says_what_to_set(product: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    service = product.services["keys"]
    told = {name: value for name, value in service.environment(owner=True).items() if "FEED_CLIENT" not in name}
    monkeypatch.setattr(type(service), "environment", lambda _self, **_asked: told)
    refused = product.operate("keys", "rebuild", "foreign")
    assert refused.returncode == 1
    assert "foreign is fed by identity, registry, whose feed this service cannot ask: set KEYS_FEED_CLIENT_ID" in refused.stderr
