"""S03–S33 as far as an API can show them: signing in, subscribing, registering an app."""

import asyncio
from typing import Any

import httpx2
import pytest

from tests.people import FORM, Developer
from tests.product import Product

pytestmark = pytest.mark.stack


async def test_s03_s13_one_sign_in_opens_every_service(developer: Developer) -> None:
    app = await developer.add_app()
    paths = {"identity": "/v1/account", "registry": "/v1/apps", "keys": f"/v1/apps/{app['app_id']}/keys"}
    for service, path in paths.items():
        assert (await developer.call("GET", service, path)).status_code == 200
    await developer.overview(app["app_id"])


async def test_s04_unknown_wrong_and_locked_look_the_same(developer: Developer, product: Product, http: httpx2.AsyncClient) -> None:
    async def attempt(email: str, password: str) -> tuple[int, dict[str, Any]]:
        answer = await http.post(f"{product.at['identity']}/v1/sessions", json={"email": email, "password": password})
        return answer.status_code, {name: value for name, value in answer.json().items() if name != "request_id"}

    unknown = await attempt("nobody@example.com", "not-the-password")
    wrong = await attempt(developer.email, "not-the-password")
    for _ in range(5):
        await attempt(developer.email, "not-the-password")
    locked = await attempt(developer.email, developer.password)
    assert unknown == wrong == locked
    assert unknown[0] == 401


async def test_s08_s09_what_i_am_subscribed_to_and_only_that(product: Product, http: httpx2.AsyncClient) -> None:
    newcomer = Developer(product, http)
    await newcomer.register()
    await newcomer.sign_in()
    assert (await newcomer.call("GET", "registry", "/v1/subscriptions")).json()["items"] == []
    refused = await newcomer.call("POST", "registry", "/v1/apps", json=FORM)
    assert refused.status_code in {403, 409, 422}
    await newcomer.subscribe()
    [subscription] = (await newcomer.call("GET", "registry", "/v1/subscriptions")).json()["items"]
    [product_line] = (await newcomer.call("GET", "registry", "/v1/catalog")).json()["items"]
    assert (subscription["product_id"], product_line["subscribed"]) == (product_line["product_id"], True)


async def test_s15_s31_no_app_then_one(developer: Developer) -> None:
    assert (await developer.call("GET", "registry", "/v1/apps")).json()["items"] == []
    app = await developer.add_app(name="Corner Shop")
    [listed] = (await developer.call("GET", "registry", "/v1/apps")).json()["items"]
    assert (listed["app_id"], listed["name"], listed["email"], listed["country"]) == (app["app_id"], "Corner Shop", FORM["email"], "GB")


async def test_s29_s30_a_refused_form_names_every_wrong_field_and_stores_nothing(developer: Developer) -> None:
    wrong = {"name": "x", "email": "nope", "country": "XX", "postal_code": "", "phone": "0123", "colour": "red"}
    refused = await developer.call("POST", "registry", "/v1/apps", json=wrong)
    assert refused.status_code == 422
    assert refused.headers["content-type"] == "application/problem+json"
    pointers = {error["pointer"] for error in refused.json()["errors"]}
    assert {"/name", "/email", "/country", "/phone", "/address", "/colour"} <= pointers
    assert (await developer.call("GET", "registry", "/v1/apps")).json()["items"] == []


async def test_s32_a_double_click_makes_one_app(developer: Developer) -> None:
    headers = {"Idempotency-Key": "double-click-1"}
    clicks = await asyncio.gather(*(developer.call("POST", "registry", "/v1/apps", json=FORM, headers=headers) for _ in range(3)))
    assert {click.status_code for click in clicks} == {201}
    assert len({click.json()["app_id"] for click in clicks}) == 1
    assert len((await developer.call("GET", "registry", "/v1/apps")).json()["items"]) == 1


async def test_an_app_of_somebody_else_cannot_be_told_from_a_missing_one(
    developer: Developer, product: Product, http: httpx2.AsyncClient
) -> None:
    app = await developer.add_app()
    other = Developer(product, http)
    await other.register()
    await other.sign_in()
    await other.subscribe()
    missing = "app_" + "0" * 22
    for service, path in (("registry", "/v1/apps/{}"), ("keys", "/v1/apps/{}/keys"), ("metrics", "/v1/apps/{}/overview?tz=UTC")):
        theirs = await other.call("GET", service, path.format(app["app_id"]))
        nobodys = await other.call("GET", service, path.format(missing))
        assert theirs.status_code == nobodys.status_code == 404, (service, theirs.text, nobodys.text)
        assert {**theirs.json(), "request_id": ""} == {**nobodys.json(), "request_id": ""}
