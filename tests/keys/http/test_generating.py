"""POST /v1/apps/{app_id}/keys: S42, S43, S46, S47, S51."""

import asyncio
import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from latchkey import base62
from latchkey.keyformat import Kind, parse_key

from services.keys.queries.whereabouts import ARRIVAL_SECONDS
from services.keys.settings import Settings
from shared.ids import WIDTH, new_id
from tests.keys.conftest import Running, seed, serving
from tests.tokens import machine, person

pytestmark = pytest.mark.stack


async def test_201_gives_two_keys_and_the_secret_once(keys: Running) -> None:
    """S43."""
    answer = await keys.http.post(keys.path, json={"environment": "live"}, headers=keys.me)
    made = answer.json()
    assert answer.status_code == 201
    public, secret = parse_key(made["public_key"]), parse_key(made["secret_key"])
    assert public
    assert (public.kind, public.environment) == (Kind.PUBLIC, "live")
    assert secret
    assert (secret.kind, secret.environment) == (Kind.SECRET, "live")
    assert made["secret_key"].endswith(made["secret_last_four"])
    assert made["secret_key"].startswith(made["secret_key_prefix"])
    assert (made["status"], made["version"], made["code"]) == ("active", 3, None)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["etag"] == '"3"'
    assert answer.headers["event-position"].startswith("keys/kr_")


async def test_the_downloads_hold_both_keys(keys: Running) -> None:
    """S46."""
    made = await keys.generate()
    files = made["downloads"]
    assert set(files) == {"txt", "env", "json"}
    assert all(made["public_key"] in text and made["secret_key"] in text for text in files.values())
    assert json.loads(files["json"])["secret_key"] == made["secret_key"]
    assert f"LATCHKEY_SECRET_KEY={made['secret_key']}\n" in files["env"]


async def test_409_beside_an_active_pair(keys: Running) -> None:
    """S51."""
    await keys.generate()
    again = await keys.http.post(keys.path, json={"environment": "test"}, headers=keys.me)
    assert (again.status_code, again.json()["code"]) == (409, "keys.pair_already_active")


async def test_live_and_test_are_apart(keys: Running) -> None:
    live, test = await keys.generate("live"), await keys.generate("test")
    assert live["pair_id"] != test["pair_id"]


async def test_two_presses_at_once_make_one_pair(keys: Running) -> None:
    """S51."""
    answers = await asyncio.gather(*(keys.http.post(keys.path, json={"environment": "test"}, headers=keys.me) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 7
    listed = (await keys.http.get(keys.path, headers=keys.me)).json()["items"]
    assert [pair["status"] for pair in listed] == ["active"]


async def test_two_processes_at_once_make_one_pair(keys: Running, settings: Settings) -> None:
    async with serving(settings) as other:
        clients = [keys.http, other.http] * 3
        answers = await asyncio.gather(*(http.post(keys.path, json={"environment": "test"}, headers=keys.me) for http in clients))
    assert sorted(answer.status_code for answer in answers) == [201] + [409] * 5


async def test_a_repeat_with_the_same_key_makes_nothing_and_shows_no_secret(keys: Running) -> None:
    """S47."""
    headers = keys.me | {"Idempotency-Key": new_id("idem")}
    first = await keys.http.post(keys.path, json={"environment": "test"}, headers=headers)
    again = await keys.http.post(keys.path, json={"environment": "test"}, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json()["pair_id"] == first.json()["pair_id"]
    assert (again.json()["secret_key"], again.json()["code"], again.json()["downloads"]) == (None, "keys.secret_already_revealed", None)
    assert again.json()["public_key"] == first.json()["public_key"]


async def test_409_when_the_key_comes_with_another_body(keys: Running) -> None:
    headers = keys.me | {"Idempotency-Key": new_id("idem")}
    await keys.http.post(keys.path, json={"environment": "test"}, headers=headers)
    other = await keys.http.post(keys.path, json={"environment": "live"}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (409, "idempotency.key_reused")


async def test_401_without_a_token(keys: Running) -> None:
    assert (await keys.http.post(keys.path, json={"environment": "test"})).status_code == 401


async def test_403_for_a_machine(keys: Running) -> None:
    answer = await keys.http.post(keys.path, json={"environment": "test"}, headers=machine("keys:verify"))
    assert answer.status_code == 403


async def test_404_for_another_owner_looks_like_404_for_no_app(keys: Running) -> None:
    foreign, missing = await asyncio.gather(
        *(
            keys.http.post(path, json={"environment": "test"}, headers=person("acc_other"))
            for path in (keys.path, "/v1/apps/app_missing/keys")
        )
    )
    assert (foreign.status_code, missing.status_code) == (404, 404)
    assert {**foreign.json(), "request_id": ""} == {**missing.json(), "request_id": ""}


async def test_an_app_that_arrives_within_two_seconds_is_waited_for(settings: Settings) -> None:
    async with serving(settings, known=False) as keys:

        async def arrive() -> None:
            await asyncio.sleep(0.3)
            await seed(keys.db, keys.app_id, keys.owner)

        arriving = asyncio.create_task(arrive())
        made = await keys.generate()
        await arriving
        assert made["app_id"] == keys.app_id


async def test_an_app_that_was_not_registered_just_now_is_not_waited_for(keys: Running) -> None:
    an_hour_ago = "app_" + base62.encode((time.time_ns() // 1_000_000 - 3_600_000) << 80, WIDTH)
    for app_id in (an_hour_ago, "app_" + "z" * WIDTH, "app_" + "z" * 60, "app_made-up"):
        began = time.monotonic()
        assert (await keys.http.get(f"/v1/apps/{app_id}/keys", headers=keys.me)).status_code == 404
        assert time.monotonic() - began < ARRIVAL_SECONDS / 2


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/environment"),
        ({"environment": "prod"}, "/environment"),
        ({"environment": "test", "colour": "red"}, "/colour"),
        ({"environment": "test", "expires_at": "2026-01-01T00:00:00"}, "/expires_at"),
        ({"environment": "test", "expires_at": "2026-01-01T00:00:00Z"}, "/expires_at"),
        ({"environment": "test", "expires_at": "9999-12-31T23:59:59-12:00"}, "/expires_at"),
        ({"environment": "test", "expires_at": "9999-12-31T23:59:59.9999999Z"}, "/expires_at"),
        ({"environment": "test", "expires_at": "0001-01-01T00:00:00+12:00"}, "/expires_at"),
        ({"environment": "test", "scopes": ["No Spaces"]}, "/scopes/0"),
        ({"environment": "test", "allowed_ips": ["10.0.0.300"]}, "/allowed_ips/0"),
        ({"environment": "test", "allowed_origins": ["shop.example"]}, "/allowed_origins/0"),
    ],
)
async def test_422_names_the_wrong_field(keys: Running, body: dict[str, object], pointer: str) -> None:
    answer = await keys.http.post(keys.path, json=body, headers=keys.me)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_rules_are_kept_in_one_spelling(keys: Running) -> None:
    expires = datetime.now(UTC) + timedelta(days=1)
    made = await keys.generate(
        expires_at=expires.isoformat(),
        scopes=["a", "a", "b"],
        allowed_ips=["10.1.2.3/8", "192.0.2.7"],
        allowed_origins=["https://a.example"],
    )
    assert (made["scopes"], made["allowed_ips"], made["allowed_origins"]) == (
        ["a", "b"],
        ["10.0.0.0/8", "192.0.2.7"],
        ["https://a.example"],
    )
    assert datetime.fromisoformat(made["expires_at"]) == expires
