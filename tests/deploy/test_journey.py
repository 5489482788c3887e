"""The guide's way through the proxy of a deployment, and what the proxy keeps to itself."""

import asyncio
import secrets

import httpx2
import pytest

from tests.deploy.deployment import Deployment
from tests.people import FORM, Developer, transaction

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]


async def test_from_an_account_to_numbers_through_the_proxy(deployment: Deployment, http: httpx2.AsyncClient) -> None:
    developer = Developer(deployment, http)
    app, pair = await developer.everything(patience=60)
    assert await developer.verdict(pair["secret_key"]) == "VALID"
    answer = await developer.record(pair["secret_key"], *(transaction(n) for n in range(5)))
    assert answer.status_code == 201, answer.text
    assert (await developer.overview(app["app_id"]))["total"] == 5
    path = f"/v1/apps/{app['app_id']}/keys/{pair['pair_id']}"
    etag = (await developer.call("GET", "keys", path)).headers["ETag"]
    new = await developer.call("POST", "keys", f"{path}/regenerate", json={"overlap_seconds": 0}, headers={"If-Match": etag})
    assert new.status_code == 201, new.text
    assert await developer.verdict(pair["secret_key"]) == "ROTATED"
    assert await developer.verdict(new.json()["secret_key"]) == "VALID"


async def test_the_portal_is_at_the_root(deployment: Deployment, http: httpx2.AsyncClient) -> None:
    page = await http.get(f"{deployment.origin}/sign-in")
    assert page.status_code == 200
    assert "<form" in page.text
    assert "content-security-policy" in page.headers


@pytest.mark.parametrize("path", ["/identity/openapi.json", "/metrics/openapi.json", "/keys/readyz", "/registry/metrics"])
async def test_what_a_service_says_of_itself_is_not_public(deployment: Deployment, http: httpx2.AsyncClient, path: str) -> None:
    assert (await http.get(deployment.origin + path)).status_code == 404


async def test_a_client_cannot_say_where_it_comes_from(deployment: Deployment, http: httpx2.AsyncClient) -> None:
    """Whoever counts attempts by address must see the proxy's word, not the caller's."""
    developer = Developer(deployment, http)
    await developer.register()
    forged = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}
    session = await developer.call(
        "POST", "identity", "/v1/sessions", json={"email": developer.email, "password": developer.password}, headers=forged
    )
    assert session.status_code == 201
    developer.token = session.json()["access_token"]
    listed = await developer.call("GET", "identity", "/v1/sessions")
    assert "203.0.113.7" not in listed.text


async def test_a_restarted_service_is_waited_for_and_no_request_is_lost(deployment: Deployment, http: httpx2.AsyncClient) -> None:
    """Metrics is another matter: it answers 503 until its table of keys is proven fresh again, and never by a guess."""
    developer = Developer(deployment, http)
    await developer.everything(patience=60)
    for goes_left in (2, 1, 0):  # a machine that is busy with other things refuses by itself, but not each time
        refused = await _refused_through_a_restart(deployment, developer)
        if not refused:
            return
        assert goes_left, refused


async def _refused_through_a_restart(deployment: Deployment, developer: Developer) -> list[str]:
    over, answers = asyncio.Event(), list[httpx2.Response]()

    async def ask() -> None:
        while not over.is_set() or len(answers) < 12:
            form = FORM | {"name": f"Shop {secrets.token_hex(6)}"}
            answers.append(await developer.call("POST", "registry", "/v1/apps", json=form))
            answers.append(await developer.call("GET", "registry", "/v1/apps"))

    asking = asyncio.create_task(ask())
    await asyncio.to_thread(deployment.compose, "restart", "registry-main")
    await asyncio.sleep(2)
    over.set()
    await asking
    return [f"{each.status_code} {each.text}" for each in answers if each.status_code not in {200, 201}]
