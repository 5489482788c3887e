"""Who may call: every verdict on a key, public keys, browsers, and people."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from latchkey.events.registry import AppErased, DomainAdded, DomainEvent, DomainRemoved, DomainVerified
from latchkey.keyformat import Kind
from latchkey.rings import PairStatus

from services.metrics.projections.apps import Apps
from tests import tokens
from tests.metrics.shop import OWNER, STRANGER, Shop, key_text, pair, told, transaction

pytestmark = pytest.mark.stack
PUBLIC = key_text("kp_1", Kind.PUBLIC)


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"status": PairStatus.REVOKED}, 401, "metrics.key_revoked"),
        ({"status": PairStatus.EXPIRED}, 401, "metrics.key_expired"),
        ({"expires_at": datetime.now(UTC) - timedelta(seconds=1)}, 401, "metrics.key_expired"),
        ({"status": PairStatus.RETIRED}, 401, "metrics.key_rotated"),
        ({"status": PairStatus.DISABLED}, 401, "metrics.key_disabled"),
        ({"suspended": True}, 403, "metrics.app_disabled"),
        ({"allowed_ips": frozenset({"192.0.2.1"})}, 403, "metrics.address_forbidden"),
    ],
)
async def test_every_verdict_has_its_own_refusal(shop: Shop, changes: dict[str, Any], status: int, code: str) -> None:
    """S49, S52."""
    shop.judge.hold(replace(pair(shop.app, "kp_1"), **changes))
    for answer in (await shop.post(transaction(1)), await shop.move("t-1", "succeeded")):
        assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_an_unknown_and_a_malformed_key_are_401(shop: Shop) -> None:
    unknown = await shop.post(transaction(1), key=key_text("kp_unknown"))
    assert (unknown.status_code, unknown.json()["code"]) == (401, "metrics.key_unknown")
    typo = await shop.post(transaction(1), key=key_text("kp_1")[:-1] + "!")
    assert (typo.status_code, typo.json()["code"]) == (401, "metrics.key_malformed")


async def test_without_a_key_it_is_401_and_with_a_persons_token_too(shop: Shop) -> None:
    for headers in ({}, tokens.person("acc_owner")):
        answer = await shop.http.post("/v1/transactions", json=transaction(1), headers=headers)
        assert answer.status_code == 401
    assert (await shop.http.patch("/v1/transactions/t-1", json={"status": "succeeded"})).status_code == 401


async def test_a_key_as_bearer_is_the_same(shop: Shop) -> None:
    headers = {"authorization": f"Bearer {key_text('kp_1')}"}
    assert (await shop.http.post("/v1/transactions", json=transaction(1), headers=headers)).status_code == 201


async def test_when_keys_cannot_be_judged_nothing_is_recorded(shop: Shop) -> None:
    shop.judge.stale = True
    answer = await shop.post(transaction(1))
    assert (answer.status_code, answer.json()["code"]) == (503, "metrics.keys_unverifiable")
    assert "retry-after" in answer.headers
    assert (await shop.get("overview")).json()["total"] == 0


async def test_a_public_key_records_created_and_nothing_else(shop: Shop) -> None:
    """S44."""
    answer = await shop.post(transaction(1, status="created"), key=PUBLIC, origin="https://shop.example")
    assert (answer.status_code, answer.json()["status"]) == (201, "created")
    assert answer.headers["access-control-allow-origin"] == "*"
    refused = await shop.post(transaction(2), key=PUBLIC, origin="https://shop.example")
    assert (refused.status_code, refused.json()["code"]) == (403, "metrics.public_key_limited")
    assert refused.headers["access-control-allow-origin"] == "*"
    batch = await shop.record(transaction(3, status="created"), transaction(4), key=PUBLIC)
    assert [result["status"] for result in batch.json()["results"]] == [201, 403]


async def test_a_public_key_moves_nothing_and_reads_nothing(shop: Shop) -> None:
    """S44."""
    await shop.post(transaction(1, status="created"), key=PUBLIC)
    moved = await shop.move("t-1", "succeeded", key=PUBLIC)
    assert (moved.status_code, moved.json()["code"]) == (403, "metrics.public_key_limited")
    for path in ("overview", "timeseries", "transactions", "transactions.csv", "refusals"):
        answer = await shop.http.get(f"/v1/apps/{shop.app}/{path}", auth=(PUBLIC, ""))
        assert answer.status_code == 401
        assert "access-control-allow-origin" not in answer.headers


async def test_a_public_key_learns_nothing_of_what_became_of_it(shop: Shop) -> None:
    """S44."""
    await shop.post(transaction(1, status="created"), key=PUBLIC)
    await shop.move("t-1", "failed", provider_status="insufficient funds")
    again = await shop.post(transaction(1, status="created"), key=PUBLIC)
    assert (again.json()["code"], again.json()["status"], again.json()["provider_status"]) == ("unchanged", "created", None)
    assert "etag" not in again.headers


async def test_origin_rules_bind_the_public_key(shop: Shop) -> None:
    shop.judge.hold(pair(shop.app, "kp_1", allowed_origins=frozenset({"https://shop.example"})))
    assert (await shop.post(transaction(1, status="created"), key=PUBLIC, origin="https://shop.example")).status_code == 201
    other = await shop.post(transaction(2, status="created"), key=PUBLIC, origin="https://evil.example")
    assert (other.status_code, other.json()["code"]) == (403, "metrics.origin_forbidden")


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://shop.example", 201),
        ("https://www.shop.example:8443", 201),
        ("https://SHOP.example", 201),
        (None, 201),
        ("https://evil.example", 403),
        ("https://notshop.example", 403),
        ("https://shop.example.evil.example", 403),
        ("https://shop.example@evil.example", 403),
        ("null", 403),
        ("http://[", 403),
    ],
)
async def test_once_an_app_has_verified_domains_its_public_key_works_on_their_pages_only(
    shop: Shop, origin: str | None, status: int
) -> None:
    """S44."""
    await hear(shop, DomainAdded, "pending.example")
    anywhere = await shop.post(transaction(1, status="created"), key=PUBLIC, origin="https://evil.example")
    assert anywhere.status_code == 201
    await hear(shop, DomainVerified, "shop.example")
    answer = await shop.post(transaction(2, status="created"), key=PUBLIC, **({"origin": origin} if origin else {}))
    assert answer.status_code == status
    assert answer.json().get("code") == ("recorded" if status == 201 else "metrics.origin_unverified")
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_a_removed_domain_and_an_erased_app_bind_no_more(shop: Shop) -> None:
    for domain in ("shop.example", "b.example"):
        await hear(shop, DomainVerified, domain)
    await hear(shop, DomainRemoved, "shop.example")
    for origin, status in (("https://shop.example", 403), ("https://b.example", 201)):
        assert (await shop.post(transaction(origin, status="created"), key=PUBLIC, origin=origin)).status_code == status
    async with shop.db.transaction():
        await Apps().apply(shop.db, [told(AppErased(app_id=shop.app, owner_id=OWNER), shop.app)])
    assert await shop.db.fetchval("SELECT count(*) FROM app_domains WHERE app_id = $1", shop.app) == 0


async def hear(shop: Shop, event: type[DomainEvent], domain: str) -> None:
    """What registry says of a domain of the shop's app."""
    async with shop.db.transaction():
        await Apps().apply(shop.db, [told(event(app_id=shop.app, owner_id=OWNER, domain=domain), shop.app)])


async def test_a_browser_may_ask_first(shop: Shop) -> None:
    asks = {"origin": "https://shop.example", "access-control-request-method": "POST"}
    answer = await shop.http.options("/v1/transactions", headers=asks)
    assert answer.status_code == 204
    assert (answer.headers["access-control-allow-methods"], answer.headers["access-control-allow-origin"]) == ("POST", "*")
    assert "access-control-allow-credentials" not in answer.headers


async def test_a_secret_key_from_a_browser_is_refused_and_kept_for_the_owner(shop: Shop) -> None:
    """S45."""
    for _ in range(3):
        answer = await shop.post(transaction(1), origin="https://shop.example")
        assert (answer.status_code, answer.json()["code"]) == (403, "metrics.secret_key_in_browser")
    assert (await shop.post(transaction(1), origin="null")).status_code == 403
    assert (await shop.get("overview")).json()["total"] == 0
    found = (await shop.get("refusals")).json()["items"]
    assert [(row["pair_id"], row["environment"], row["origin"]) for row in found] == [
        ("kp_1", "live", "null"), ("kp_1", "live", "https://shop.example")
    ]  # fmt: skip
    public = await shop.db.fetchval("SELECT count(public) FROM es.events WHERE data ->> 'app_id' = $1", shop.app)
    assert public == 0


async def test_refusals_come_in_pages_and_only_to_the_owner(shop: Shop) -> None:
    """S45."""
    for n in range(3):
        await shop.post(transaction(1), origin=f"https://{n}.example")
    first = (await shop.get("refusals", limit=2)).json()
    rest = (await shop.get("refusals", limit=2, cursor=first["next_cursor"])).json()
    assert [row["origin"] for row in first["items"] + rest["items"]] == [f"https://{n}.example" for n in (2, 1, 0)]
    assert rest["next_cursor"] is None
    assert (await shop.get("refusals", account=STRANGER)).status_code == 404


@pytest.mark.parametrize("path", ["overview", "timeseries", "transactions", "transactions.csv", "refusals"])
async def test_another_tenants_app_cannot_be_told_from_a_missing_one(shop: Shop, path: str) -> None:
    foreign = await shop.get(path, account=STRANGER)
    missing = await shop.get(path, app="app_missing")
    assert foreign.status_code == missing.status_code == 404
    assert {k: v for k, v in foreign.json().items() if k != "request_id"} == {k: v for k, v in missing.json().items() if k != "request_id"}


@pytest.mark.parametrize("path", ["overview", "timeseries", "transactions", "transactions.csv", "refusals"])
async def test_reading_without_a_token_is_401_and_with_a_machines_403(shop: Shop, path: str) -> None:
    assert (await shop.http.get(f"/v1/apps/{shop.app}/{path}")).status_code == 401
    machine = await shop.http.get(f"/v1/apps/{shop.app}/{path}", headers=tokens.machine("feed:metrics"))
    assert machine.status_code == 403
