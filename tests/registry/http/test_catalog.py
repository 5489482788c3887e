"""S06–S11 over HTTP: what there is, and what I am subscribed to."""

import pytest

from tests.registry.owner import Owner, refused

pytestmark = pytest.mark.stack


async def subscribed(owner: Owner) -> list[str]:
    """What the list shows."""
    answer = await owner.call("GET", "/v1/subscriptions")
    assert answer.status_code == 200
    return [item["product_id"] for item in answer.json()["items"]]


async def test_s08_s09_the_catalogue_says_what_i_am_subscribed_to_and_the_list_shows_only_that(newcomer: Owner) -> None:
    [product] = (await newcomer.call("GET", "/v1/catalog")).json()["items"]
    assert (product["product_id"], product["name"], product["subscribed"]) == ("latchkey-pay", "Latchkey Pay", False)
    assert await subscribed(newcomer) == []
    await newcomer.subscribe()
    assert (await newcomer.call("GET", "/v1/catalog")).json()["items"] == [product | {"subscribed": True}]
    assert await subscribed(newcomer) == ["latchkey-pay"]


async def test_there_is_one_subscription_however_often_it_is_asked_for(newcomer: Owner) -> None:
    answers = [await newcomer.call("POST", "/v1/subscriptions", json={"product_id": "latchkey-pay"}) for _ in range(2)]
    assert {answer.status_code for answer in answers} == {201}
    assert answers[0].json() == answers[1].json()
    subscription = answers[0].json()
    assert subscription | {"subscription_id": ""} == {"subscription_id": "", "product_id": "latchkey-pay", "active": True, "version": 1}
    read = await newcomer.call("GET", f"/v1/subscriptions/{subscription['subscription_id']}")
    assert (read.json(), read.headers["etag"]) == (subscription, '"1"')
    assert answers[1].headers["event-position"] == f"registry/{subscription['subscription_id']}/1"


async def test_a_subscription_ends_and_begins_again(newcomer: Owner) -> None:
    path = f"/v1/subscriptions/{await newcomer.subscribe()}"
    assert [(await newcomer.call("DELETE", path)).status_code for _ in range(2)] == [204, 204]
    assert await subscribed(newcomer) == []
    assert (await newcomer.call("GET", path)).json()["active"] is False
    await newcomer.subscribe()
    assert (await newcomer.call("GET", path)).json()["version"] == 3


async def test_what_is_not_in_the_catalogue_is_refused(newcomer: Owner) -> None:
    refused(await newcomer.call("POST", "/v1/subscriptions", json={"product_id": "gold"}), 422, "request.invalid", "/product_id")
    refused(await newcomer.call("POST", "/v1/subscriptions", json={"colour": 1}), 422, "request.invalid", "/product_id", "/colour")


async def test_a_stale_version_is_refused(newcomer: Owner) -> None:
    path = f"/v1/subscriptions/{await newcomer.subscribe()}"
    refused(await newcomer.call("DELETE", path, headers={"if-match": '"9"'}), 412, "resource.version_mismatch")
    refused(await newcomer.call("DELETE", path, headers={"if-match": "nine"}), 400, "request.bad_if_match")


async def test_a_subscription_of_somebody_else_cannot_be_told_from_a_missing_one(newcomer: Owner, stranger: Owner) -> None:
    mine = await newcomer.subscribe()
    for method in ("GET", "DELETE"):
        told = [await stranger.call(method, f"/v1/subscriptions/{name}", headers={"if-match": '"9"'}) for name in (mine, "sub_" + "0" * 22)]
        for answer in told:
            refused(answer, 404, "resource.not_found")
        assert len({answer.json()["detail"] for answer in told}) == 1
    assert await subscribed(newcomer) == ["latchkey-pay"]


async def test_an_app_is_no_subscription(owner: Owner, stranger: Owner) -> None:
    app = await owner.add()
    for who in (owner, stranger):
        for name in (app["app_id"], "app_" + "0" * 22, "x" * 5_000):
            refused(await who.call("DELETE", f"/v1/subscriptions/{name}", headers={"if-match": '"1"'}), 404, "resource.not_found")
