"""The feed: a service's public events from its own log, to machines with the right scope, in the bytes that Kafka carries."""

import asyncio
import json
from typing import Any

import asyncpg
import httpx2
import pytest
from latchkey.envelope import decode, splice

from shared.http import feed as feed_module
from shared.http.feed import PublicLog
from shared.store.fence import APPEND_LOCK
from stack.databases import Database
from tests.registry.owner import Owner, refused
from tests.tokens import machine, person

pytestmark = pytest.mark.stack


def reader() -> dict[str, str]:
    return machine("feed:registry")


async def read(http: httpx2.AsyncClient, **asked: Any) -> dict[str, Any]:
    answer = await http.get("/v1/feed", params=asked, headers=reader())
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def frozen(db: asyncpg.Connection) -> list[bytes]:
    rows = await db.fetch("SELECT public, position FROM es.events WHERE public IS NOT NULL ORDER BY position")
    return [splice(*row) for row in rows]


async def test_it_holds_every_public_event_in_its_bytes_and_order(owner: Owner, http: httpx2.AsyncClient, db: asyncpg.Connection) -> None:
    app = await owner.add()
    await owner.call("PATCH", f"/v1/apps/{app['app_id']}", json={"email": "new@example.com"}, headers={"If-Match": '"1"'})
    await owner.call("POST", f"/v1/apps/{app['app_id']}/disable")
    answer = await http.get("/v1/feed", params={"limit": 1000}, headers=reader())
    events = await frozen(db)
    assert answer.content.startswith(b'{"items":[' + b",".join(events) + b'],"next":')
    assert "new@example.com" not in answer.text
    assert [decode(event).globalposition for event in events] == sorted(decode(event).globalposition or 0 for event in events)


async def test_pages_follow_each_other_with_no_gap_and_no_duplicate(owner: Owner, http: httpx2.AsyncClient, db: asyncpg.Connection) -> None:
    for number in range(5):
        await owner.add(f"Shop {number}")
    items, after, end = [], 0, 1
    while after < end:
        page = await read(http, after=after, limit=2)
        assert len(page["items"]) <= 2
        items += page["items"]
        after, end = page["next"], page["end"]
    assert items == [json.loads(event) for event in await frozen(db)]
    assert await read(http, after=after) == {"items": [], "next": after, "end": end}


async def test_one_stream_comes_alone(owner: Owner, http: httpx2.AsyncClient) -> None:
    app, _ = await owner.add(), await owner.add("Another Shop")
    await owner.call("POST", f"/v1/apps/{app['app_id']}/disable")
    page = await read(http, stream=app["app_id"])
    assert [(item["id"], item["streamversion"]) for item in page["items"]] == [(f"{app['app_id']}/1", 1), (f"{app['app_id']}/2", 2)]
    assert (await read(http, stream="app_nobody"))["items"] == []


async def test_a_page_ends_before_it_is_too_large(
    owner: Owner, database: Database, db: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    await owner.add()
    monkeypatch.setattr(feed_module, "_PAGE_BYTES", 1)
    async with asyncpg.create_pool(database.app, min_size=1, max_size=1) as pool:
        log, after, found = PublicLog(pool), 0, list[bytes]()
        while (page := await log.page(after, None, 500))[1] > after:
            assert len(page[0]) <= 1
            found += page[0]
            after = page[1]
    assert found == await frozen(db)


async def test_it_waits_for_appends_that_are_under_way(http: httpx2.AsyncClient, owner: Owner, db: asyncpg.Connection) -> None:
    await owner.add()
    async with db.transaction():
        await db.execute("SELECT pg_advisory_xact_lock_shared($1, $2)", *APPEND_LOCK)
        asking = asyncio.create_task(read(http))
        await asyncio.sleep(0.2)
        assert not asking.done()
    assert (await asking)["items"]


async def test_only_a_machine_with_the_scope_may_read_it(http: httpx2.AsyncClient) -> None:
    for headers, status, code in (
        ({}, 401, "auth.required"),
        (person("acc_1"), 403, "auth.wrong_kind_of_caller"),
        (machine("feed:keys"), 403, "auth.scope_missing"),
    ):
        refused(await http.get("/v1/feed", headers=headers), status, code)
    for asked in ({"after": -1}, {"limit": 0}, {"limit": 1001}, {"stream": ""}, {"after": 2**63}, {"before": 1}):
        assert (await http.get("/v1/feed", params=asked, headers=reader())).status_code == 422, asked
