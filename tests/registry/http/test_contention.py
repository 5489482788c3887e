"""S20, S32: what happens when two want the same thing at once."""

import asyncio
from collections import Counter

import asyncpg
import httpx2
import pytest

from services.registry.settings import Settings
from services.registry.wiring import build_app
from shared.http.tokens import NeverRevoked, TokenChecker
from tests.registry.builders import FORM, a_form
from tests.registry.owner import Owner, refused
from tests.tokens import OneKey

pytestmark = pytest.mark.stack


async def test_s20_of_two_registrations_of_one_name_at_once_one_is_refused(owner: Owner) -> None:
    answers = await asyncio.gather(*(owner.call("POST", "/v1/apps", json=a_form(name=name)) for name in ("Corner Shop", "CORNER SHOP")))
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    refused(next(answer for answer in answers if answer.status_code == 409), 409, "registry.name_taken")
    assert len(await owner.names()) == 1


async def test_s20_also_between_two_processes(owner: Owner, settings: Settings) -> None:
    async with (
        build_app(settings, TokenChecker(OneKey(), NeverRevoked())) as app,
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://second") as http,
    ):
        both = [owner, Owner(http, owner.account_id)]
        for number in range(5):
            form = a_form(name=f"Shop {number}")
            answers = await asyncio.gather(*(each.call("POST", "/v1/apps", json=form) for each in both for _ in range(4)))
            assert Counter(answer.status_code for answer in answers) == {201: 1, 409: 7}
    assert len(await owner.names()) == 5


async def test_s32_the_same_form_sent_again_is_one_app(owner: Owner) -> None:
    keyed = {"idempotency-key": "press-1"}
    answers = await asyncio.gather(*(owner.call("POST", "/v1/apps", json=FORM, headers=keyed) for _ in range(5)))
    later = await owner.call("POST", "/v1/apps", json=FORM, headers=keyed)
    assert {answer.status_code for answer in (*answers, later)} == {201}
    assert len({answer.text for answer in (*answers, later)}) == 1
    assert later.headers["etag"] == '"1"'
    assert len(await owner.names()) == 1


async def test_s32_the_first_answer_stays_the_answer(owner: Owner) -> None:
    keyed = {"idempotency-key": "press-1"}
    first = await owner.call("POST", "/v1/apps", json=FORM, headers=keyed)
    app_id = first.json()["app_id"]
    await owner.call("PATCH", f"/v1/apps/{app_id}", json={"name": "Other"}, headers={"if-match": '"1"'})
    assert (await owner.call("POST", "/v1/apps", json=FORM, headers=keyed)).json() == first.json()
    assert await owner.names() == ["Other"]


async def test_s32_a_key_means_one_form_of_one_account(owner: Owner, stranger: Owner) -> None:
    keyed = {"idempotency-key": "press-1"}
    await owner.call("POST", "/v1/apps", json=FORM, headers=keyed)
    refused(await owner.call("POST", "/v1/apps", json=a_form(name="Other"), headers=keyed), 409, "idempotency.key_reused")
    assert (await stranger.call("POST", "/v1/apps", json=FORM, headers=keyed)).status_code == 201
    refused(await owner.call("POST", "/v1/apps", json=FORM, headers={"idempotency-key": "a b"}), 400, "idempotency.bad_key")


async def test_a_refused_form_does_not_use_the_key_up(owner: Owner) -> None:
    keyed = {"idempotency-key": "press-1"}
    refused(await owner.call("POST", "/v1/apps", json=a_form(name="x"), headers=keyed), 422, "request.invalid", "/name")
    assert (await owner.call("POST", "/v1/apps", json=FORM, headers=keyed)).status_code == 201


async def test_twenty_who_switch_at_once_leave_a_whole_history(owner: Owner, db: asyncpg.Connection) -> None:
    app = await owner.add()
    turns = ["disable", "enable"] * 10
    answers = await asyncio.gather(*(owner.call("POST", f"/v1/apps/{app['app_id']}/{turn}") for turn in turns))
    assert {answer.status_code for answer in answers} <= {200, 409}
    versions = [row[0] for row in await db.fetch("SELECT version FROM es.events WHERE stream_id = $1 ORDER BY version", app["app_id"])]
    assert versions == list(range(1, len(versions) + 1))
    assert (await owner.get(app["app_id"]))["version"] == versions[-1]


async def test_of_two_changes_of_one_version_one_is_stale(owner: Owner) -> None:
    app = await owner.add()
    changes = [
        owner.call("PATCH", f"/v1/apps/{app['app_id']}", json={"city": city}, headers={"if-match": '"1"'}) for city in ("Here", "There")
    ]
    assert sorted(answer.status_code for answer in await asyncio.gather(*changes)) == [200, 412]


async def test_archiving_and_taking_the_name_at_once_never_fails_oddly(owner: Owner) -> None:
    app = await owner.add()
    archived, taken = await asyncio.gather(
        owner.call("POST", f"/v1/apps/{app['app_id']}/archive"), owner.call("POST", "/v1/apps", json=FORM)
    )
    assert archived.status_code == 200
    assert taken.status_code in {201, 409}
    assert (await owner.call("POST", "/v1/apps", json=FORM)).status_code == (409 if taken.status_code == 201 else 201)
