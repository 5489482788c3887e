"""Domains over HTTP, proven by a real name server: each route and each status."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import dns.rcode
import httpx2
import pytest

from services.registry.commands.dns import MOST_RECORDS, SECONDS
from services.registry.settings import Settings
from services.registry.wiring import build_app
from shared.http.tokens import NeverRevoked, TokenChecker
from tests.registry.nameserver import NameServer, serving
from tests.registry.owner import Owner, refused
from tests.registry.test_erasing import erase
from tests.tokens import OneKey, machine

pytestmark = pytest.mark.stack
MISSING = "app_" + "0" * 22


@pytest.fixture
async def nameserver() -> AsyncIterator[NameServer]:
    """Whom the registry asks."""
    async with serving() as server:
        yield server


@pytest.fixture
async def http(settings: Settings, nameserver: NameServer) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a registry that asks that name server."""
    told = settings.model_copy(update={"dns_servers": nameserver.address})
    async with (
        build_app(told, TokenChecker(OneKey(), NeverRevoked())) as app,
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://registry") as client,
    ):
        yield client


@pytest.fixture
async def path(owner: Owner) -> str:
    """The domains of an app."""
    return f"/v1/apps/{(await owner.add())['app_id']}/domains"


async def add(owner: Owner, path: str, domain: str = "shop.example") -> dict[str, Any]:
    """A domain, not proven."""
    answer = await owner.call("POST", path, json={"domain": domain})
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_a_domain_is_added_proven_and_removed(owner: Owner, path: str, nameserver: NameServer) -> None:
    answer = await owner.call("POST", path, json={"domain": "Shop.Example."})
    added = answer.json()
    assert (answer.status_code, answer.headers["etag"]) == (201, '"2"')
    assert answer.headers["event-position"] == f"registry/{path.split('/')[3]}/2"
    assert (added["domain"], added["status"], added["verified_at"]) == ("shop.example", "pending", None)
    record = added["record"]
    assert (record["name"], record["type"]) == ("_latchkey-challenge.shop.example", "TXT")
    assert re.fullmatch(r"latchkey-verification=[0-9a-f]{32}", record["value"])
    nameserver.texts[record["name"]] = ["v=spf1 -all", record["value"]]
    verified = await owner.call("POST", f"{path}/shop.example/verify")
    assert (verified.status_code, verified.headers["etag"], verified.json()["status"]) == (200, '"3"', "verified")
    listed = await owner.call("GET", path)
    assert (listed.json()["items"], listed.headers["etag"]) == ([verified.json()], '"3"')
    for _ in range(2):
        removed = await owner.call("DELETE", f"{path}/SHOP.example")
        assert (removed.status_code, removed.content, removed.headers["etag"]) == (204, b"", '"4"')
    assert (await owner.call("GET", path)).json() == {"items": []}


async def test_adding_and_verifying_twice_is_once(owner: Owner, path: str, nameserver: NameServer) -> None:
    added = await add(owner, path)
    assert await add(owner, path, "SHOP.example") == added
    nameserver.texts[added["record"]["name"]] = [added["record"]["value"]]
    verified = await owner.call("POST", f"{path}/shop.example/verify")
    nameserver.texts.clear()
    asked = len(nameserver.asked)
    again = await owner.call("POST", f"{path}/shop.example/verify")
    assert (again.status_code, again.json(), len(nameserver.asked)) == (200, verified.json(), asked)
    assert await add(owner, path) == verified.json()


async def test_a_repeated_request_gets_the_first_answer(owner: Owner, path: str) -> None:
    key = {"idempotency-key": "k1"}
    first, again = [await owner.call("POST", path, json={"domain": "shop.example"}, headers=key) for _ in range(2)]
    assert (again.status_code, again.json()) == (201, first.json())
    refused(await owner.call("POST", path, json={"domain": "b.example"}, headers=key), 409, "idempotency.key_reused")


@pytest.mark.parametrize("texts", [None, [], ["latchkey-verification=" + "0" * 32], ["x" * 300]])
async def test_without_the_record_nothing_is_proven(owner: Owner, path: str, nameserver: NameServer, texts: list[str] | None) -> None:
    added = await add(owner, path)
    if texts is not None:
        nameserver.texts[added["record"]["name"]] = texts
    refused(await owner.call("POST", f"{path}/shop.example/verify"), 409, "registry.domain_unproven")
    assert nameserver.asked == ["_latchkey-challenge.shop.example"]
    assert (await owner.call("GET", path)).json()["items"] == [added]


async def test_the_proof_is_found_in_an_answer_that_only_fits_tcp(owner: Owner, path: str, nameserver: NameServer) -> None:
    added = await add(owner, path)
    name, value = added["record"]["name"], added["record"]["value"]
    nameserver.texts[name] = [f"{n:03} " + "x" * 300 for n in range(20)] + [value]
    assert (await owner.call("POST", f"{path}/shop.example/verify")).json()["status"] == "verified"


async def test_only_so_many_records_are_read(owner: Owner, path: str, nameserver: NameServer) -> None:
    added = await add(owner, path)
    nameserver.texts[added["record"]["name"]] = [f"{n:03}" for n in range(MOST_RECORDS)] + [added["record"]["value"]]
    refused(await owner.call("POST", f"{path}/shop.example/verify"), 409, "registry.domain_unproven")


async def test_name_servers_that_fail_or_say_nothing_prove_nothing_and_cost_bounded_time(
    owner: Owner, path: str, nameserver: NameServer
) -> None:
    added = await add(owner, path)
    nameserver.texts[added["record"]["name"]] = [added["record"]["value"]]
    nameserver.rcode = dns.rcode.SERVFAIL
    refused(await owner.call("POST", f"{path}/shop.example/verify"), 503, "registry.dns_unavailable")
    nameserver.rcode, nameserver.silent = dns.rcode.NOERROR, True
    started = time.monotonic()
    answers = await asyncio.gather(*(owner.call("POST", f"{path}/shop.example/verify") for _ in range(3)))
    assert time.monotonic() - started < SECONDS + 3
    for answer in answers:
        refused(answer, 503, "registry.dns_unavailable")
    nameserver.silent = False
    assert (await owner.call("POST", f"{path}/shop.example/verify")).status_code == 200


@pytest.mark.parametrize(
    ("domain", "code"),
    [
        ("localhost", "registry.domain_one_label"),
        ("127.0.0.1", "registry.domain_is_address"),
        ("https://shop.example", "registry.domain_invalid"),
        ("a." * 118 + "example", "registry.domain_long"),
        ("", "string_too_short"),
        ("x" * 254, "string_too_long"),
        (5, "string_type"),
    ],
)
async def test_what_is_no_host_name_is_refused_and_says_why(owner: Owner, path: str, domain: object, code: str) -> None:
    answer = await owner.call("POST", path, json={"domain": domain})
    refused(answer, 422, "request.invalid", "/domain")
    assert answer.json()["errors"][0]["code"] == code
    assert (await owner.call("GET", path)).json() == {"items": []}


async def test_a_body_that_is_none_or_has_more_is_refused(owner: Owner, path: str) -> None:
    assert (await owner.call("POST", path, json={"domain": "shop.example", "verified": True})).status_code == 422
    refused(await owner.call("POST", path, content=b"{", headers={"content-type": "application/json"}), 400, "request.malformed")
    refused(await owner.call("POST", path, content=b"a", headers={"content-type": "text/plain"}), 415, "request.unsupported_media")


async def test_an_app_has_twenty_domains_at_most(owner: Owner, path: str) -> None:
    for number in range(20):
        await add(owner, path, f"{number:02}.example")
    refused(await owner.call("POST", path, json={"domain": "more.example"}), 409, "registry.too_many_domains")
    await owner.call("DELETE", f"{path}/00.example")
    await add(owner, path, "more.example")
    assert len((await owner.call("GET", path)).json()["items"]) == 20


async def test_the_version_that_was_read_is_kept_to(owner: Owner, path: str) -> None:
    await add(owner, path)
    stale = {"if-match": '"1"'}
    refused(await owner.call("POST", path, json={"domain": "b.example"}, headers=stale), 412, "resource.version_mismatch")
    refused(await owner.call("DELETE", f"{path}/shop.example", headers=stale), 412, "resource.version_mismatch")
    refused(await owner.call("POST", f"{path}/shop.example/verify", headers=stale), 412, "resource.version_mismatch")


async def test_an_archived_app_keeps_its_domains_and_changes_none(owner: Owner, path: str, nameserver: NameServer) -> None:
    added = await add(owner, path)
    nameserver.texts[added["record"]["name"]] = [added["record"]["value"]]
    verified = (await owner.call("POST", f"{path}/shop.example/verify")).json()
    pending = await add(owner, path, "b.example")
    app = path.removesuffix("/domains")
    await owner.call("POST", f"{app}/archive")
    for method, where, body in (
        ("POST", path, {"domain": "c.example"}), ("POST", f"{path}/b.example/verify", None), ("DELETE", f"{path}/shop.example", None),
    ):  # fmt: skip
        refused(await owner.call(method, where, json=body), 409, "registry.app_archived")
    assert (await owner.call("GET", path)).json()["items"] == [pending, verified]
    await owner.call("POST", f"{app}/restore")
    assert (await owner.call("GET", path)).json()["items"] == [pending, verified]


async def test_a_domain_that_the_app_has_not_is_not_found(owner: Owner, path: str, nameserver: NameServer) -> None:
    refused(await owner.call("POST", f"{path}/other.example/verify"), 404, "registry.domain_not_found")
    refused(await owner.call("POST", f"{path}/nonsense/verify"), 404, "registry.domain_not_found")
    assert nameserver.asked == []


async def test_no_domain_of_somebody_else_can_be_told_from_a_missing_one(owner: Owner, stranger: Owner, path: str) -> None:
    await add(owner, path)
    requests: list[tuple[str, str, object]] = [
        ("GET", "", None), ("POST", "", {"domain": "shop.example"}),
        ("POST", "/shop.example/verify", None), ("DELETE", "/shop.example", None),
    ]  # fmt: skip
    for method, rest, body in requests:
        for version in ("1", "2"):
            told = [
                await stranger.call(method, f"/v1/apps/{app_id}/domains{rest}", json=body, headers={"if-match": f'"{version}"'})
                for app_id in (path.split("/")[3], MISSING)
            ]
            for answer in told:
                refused(answer, 404, "resource.not_found")
            theirs, nobodys = ({**answer.json(), "request_id": ""} for answer in told)
            assert theirs == nobodys
    assert len((await owner.call("GET", path)).json()["items"]) == 1


async def test_nobody_gets_anything_without_signing_in(owner: Owner, path: str) -> None:
    for method, where in (("GET", path), ("POST", path), ("POST", f"{path}/shop.example/verify"), ("DELETE", f"{path}/shop.example")):
        refused(await owner.http.request(method, where), 401, "auth.required")
        refused(await owner.http.request(method, where, headers=machine("keys:verify")), 403, "auth.wrong_kind_of_caller")


async def test_simultaneous_presses_make_one_domain(owner: Owner, path: str, db: asyncpg.Connection) -> None:
    answers = await asyncio.gather(*(owner.call("POST", path, json={"domain": "shop.example"}) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["record"]["value"] for answer in answers}) == 1
    app_id = path.split("/")[3]
    assert await db.fetchval("SELECT count(*) FROM es.events WHERE stream_id = $1 AND type = 'registry.DomainAdded'", app_id) == 1


async def test_history_names_the_domain(owner: Owner, path: str) -> None:
    await add(owner, path)
    items = (await owner.call("GET", f"{path.removesuffix('/domains')}/history")).json()["items"]
    assert [(item["event"], item["domain"]) for item in items] == [
        ("registry.DomainAdded", "shop.example"), ("registry.AppRegistered", None),
    ]  # fmt: skip


async def test_an_erased_owners_domains_are_gone(owner: Owner, path: str, settings: Settings, db: asyncpg.Connection) -> None:
    await add(owner, path)
    await erase(settings, owner.account_id)
    refused(await owner.call("GET", path), 404, "resource.not_found")
    assert await db.fetchval("SELECT count(*) FROM domains WHERE app_id = $1", path.split("/")[3]) == 0
