"""S15–S33 over HTTP: registering, reading, changing, switching, each route and each status."""

import pytest

from tests.registry.builders import FORM, a_form
from tests.registry.owner import Owner, refused
from tests.tokens import machine

pytestmark = pytest.mark.stack
MISSING = "app_" + "0" * 22
TURNS = ("disable", "enable", "archive", "restore")


async def test_s15_without_apps_the_list_is_empty(owner: Owner) -> None:
    assert (await owner.call("GET", "/v1/apps")).json() == {"items": [], "next_cursor": None}


async def test_s29_s31_s33_a_right_form_registers_an_app(owner: Owner) -> None:
    answer = await owner.call("POST", "/v1/apps", json=FORM)
    app = answer.json()
    assert answer.status_code == 201
    assert app["app_id"].startswith("app_")
    assert len(app["app_id"]) == 26
    assert {**app, "app_id": "", "registered_at": ""} == FORM | {
        "app_id": "", "product_id": "latchkey-pay", "status": "active", "logo_hash": None, "registered_at": "", "version": 1,
    }  # fmt: skip
    assert answer.headers["etag"] == '"1"'
    assert answer.headers["event-position"] == f"registry/{app['app_id']}/1"
    assert await owner.get(app["app_id"]) == app
    assert (await owner.call("GET", "/v1/apps")).json()["items"] == [app]


async def test_s17_s23_s25_s26_only_the_mandatory_fields_are_needed(owner: Owner) -> None:
    app = await owner.add(phone=..., state=..., city=...)
    assert (app["phone"], app["state"], app["city"]) == (None, None, None)


async def test_s20_to_s29_every_wrong_field_is_named_and_nothing_is_stored(owner: Owner) -> None:
    form = {"name": "x", "email": "nope", "address": "", "country": "US", "state": "DE-BY", "postal_code": "1", "phone": "215", "colour": 1}
    answer = await owner.call("POST", "/v1/apps", json=form)
    refused(answer, 422, "request.invalid", "/colour", "/name", "/email", "/address", "/phone", "/state", "/postal_code")
    assert [error["code"] for error in answer.json()["errors"]] == [
        "extra_forbidden", "registry.name_length", "registry.email_invalid", "registry.address_required",
        "registry.phone_without_country_code", "registry.state_unknown", "registry.postal_code_invalid",
    ]  # fmt: skip
    assert await owner.names() == []


@pytest.mark.parametrize("body", [[], "text", 5, None])
async def test_a_body_that_is_no_object_is_refused(owner: Owner, body: object) -> None:
    assert (await owner.call("POST", "/v1/apps", json=body)).status_code == 422


async def test_a_body_that_is_no_json_is_refused(owner: Owner) -> None:
    refused(await owner.call("POST", "/v1/apps", content=b"{", headers={"content-type": "application/json"}), 400, "request.malformed")
    answer = await owner.call("POST", "/v1/apps", content=b"a=b", headers={"content-type": "application/x-www-form-urlencoded"})
    refused(answer, 415, "request.unsupported_media")


async def test_nul_is_refused_before_it_reaches_the_database(owner: Owner) -> None:
    answer = await owner.call("POST", "/v1/apps", content=b'{"name": "Corner\\u0000Shop"}', headers={"content-type": "application/json"})
    assert answer.status_code == 422


async def test_a_form_of_a_megabyte_is_refused(owner: Owner) -> None:
    refused(await owner.call("POST", "/v1/apps", json=a_form(address="x" * 1_000_000)), 413, "request.too_large")


async def test_s20_a_name_is_unique_for_its_owner_alone(owner: Owner, stranger: Owner) -> None:
    await owner.add("Straßen Café")
    for same in ("Straßen Café", "STRASSEN  CAFÉ", "strassen cafe\u0301"):
        refused(await owner.call("POST", "/v1/apps", json=a_form(name=same)), 409, "registry.name_taken")
    await stranger.add("Straßen Café")
    assert await owner.names() == ["Straßen Café"]


async def test_s20_an_app_cannot_be_renamed_to_a_taken_name(owner: Owner) -> None:
    await owner.add("First")
    second = await owner.add("Second")
    answer = await owner.call("PATCH", f"/v1/apps/{second['app_id']}", json={"name": "FIRST"}, headers={"if-match": '"1"'})
    refused(answer, 409, "registry.name_taken")


@pytest.mark.parametrize("name", ["東京の店", "مقهى القاهرة", "Ünlü Dükkân", "ﷺ" * 256, "👩‍👩‍👧‍👦 shop", "; DROP TABLE apps; --"])
async def test_s20_names_in_any_script_come_back_as_they_were(owner: Owner, name: str) -> None:
    app = await owner.add(name)
    assert (await owner.get(app["app_id"]))["name"] == name
    assert await owner.names(q=name) == [name]
    refused(await owner.call("POST", "/v1/apps", json=a_form(name=name)), 409, "registry.name_taken")


async def test_without_a_subscription_no_app(newcomer: Owner) -> None:
    refused(await newcomer.call("POST", "/v1/apps", json=FORM), 409, "registry.not_subscribed")
    subscription = await newcomer.subscribe()
    app = await newcomer.add()
    assert (await newcomer.call("DELETE", f"/v1/subscriptions/{subscription}")).status_code == 204
    refused(await newcomer.call("POST", "/v1/apps", json=a_form(name="Second")), 409, "registry.not_subscribed")
    assert (await newcomer.get(app["app_id"]))["status"] == "active"


async def test_only_the_given_fields_change(owner: Owner) -> None:
    app = await owner.add()
    path = f"/v1/apps/{app['app_id']}"
    answer = await owner.call("PATCH", path, json={"city": None, "name": "Corner Store"}, headers={"if-match": '"1"'})
    assert answer.status_code == 200
    assert answer.json() == app | {"city": None, "name": "Corner Store", "version": 3}
    assert (answer.headers["etag"], answer.headers["event-position"]) == ('"3"', f"registry/{app['app_id']}/2")
    assert await owner.get(app["app_id"]) == answer.json()
    same = await owner.call("PATCH", path, json={"name": "Corner Store"}, headers={"if-match": '"3"'})
    assert (same.status_code, same.json()["version"]) == (200, 3)


async def test_s25_another_country_clears_the_state(owner: Owner) -> None:
    app = await owner.add()
    path = f"/v1/apps/{app['app_id']}"
    without = await owner.call("PATCH", path, json={"country": "GB"}, headers={"if-match": '"1"'})
    refused(without, 422, "request.invalid", "/postal_code")
    answer = await owner.call("PATCH", path, json={"country": "GB", "postal_code": "sw1a 1aa"}, headers={"if-match": '"1"'})
    assert (answer.json()["country"], answer.json()["state"], answer.json()["postal_code"]) == ("GB", None, "SW1A 1AA")
    assert await owner.get(app["app_id"]) == answer.json()


async def test_a_wrong_change_changes_nothing(owner: Owner) -> None:
    app = await owner.add()
    wrong = {"name": None, "email": "nope", "phone": "0123", "owner_id": "acc_2"}
    answer = await owner.call("PATCH", f"/v1/apps/{app['app_id']}", json=wrong, headers={"if-match": '"1"'})
    refused(answer, 422, "request.invalid", "/owner_id", "/name", "/email", "/phone")
    assert await owner.get(app["app_id"]) == app


async def test_a_change_says_which_version_it_is_about(owner: Owner) -> None:
    app = await owner.add()
    path = f"/v1/apps/{app['app_id']}"
    refused(await owner.call("PATCH", path, json={"city": None}), 428, "request.if_match_required")
    refused(await owner.call("PATCH", path, json={"city": None}, headers={"if-match": '"7"'}), 412, "resource.version_mismatch")
    for turn in TURNS:
        refused(await owner.call("POST", f"{path}/{turn}", headers={"if-match": '"7"'}), 412, "resource.version_mismatch")
    assert await owner.get(app["app_id"]) == app


async def test_s33_disabled_and_enabled_and_twice_is_once(owner: Owner) -> None:
    app = await owner.add()
    for turn, status, version in (("disable", "disabled", 2), ("disable", "disabled", 2), ("enable", "active", 3), ("enable", "active", 3)):
        answer = await owner.call("POST", f"/v1/apps/{app['app_id']}/{turn}")
        assert (answer.status_code, answer.json()["status"], answer.headers["etag"]) == (200, status, f'"{version}"')
        assert await owner.get(app["app_id"]) == answer.json()


async def test_archiving_frees_the_name_and_restoring_brings_back_what_was(owner: Owner) -> None:
    app = await owner.add()
    path = f"/v1/apps/{app['app_id']}"
    await owner.call("POST", f"{path}/disable")
    assert [(await owner.call("POST", f"{path}/archive")).json()["status"] for _ in range(2)] == ["archived", "archived"]
    assert (await owner.names(), await owner.names(status="archived")) == ([], ["Corner Shop"])
    for refused_call in (("POST", f"{path}/enable", None), ("POST", f"{path}/disable", None), ("PATCH", path, {"city": None})):
        method, where, body = refused_call
        answer = await owner.call(method, where, json=body, headers={"if-match": '"3"'})
        refused(answer, 409, "registry.app_archived")
    second = await owner.add()
    refused(await owner.call("POST", f"{path}/restore"), 409, "registry.name_taken_meanwhile")
    renamed = await owner.call("PATCH", f"/v1/apps/{second['app_id']}", json={"name": "Other"}, headers={"if-match": '"1"'})
    assert renamed.status_code == 200
    restored = await owner.call("POST", f"{path}/restore")
    assert (restored.status_code, restored.json()) == (200, app | {"status": "disabled", "version": 4})
    assert (await owner.call("POST", f"{path}/restore")).json()["version"] == 4


async def test_no_app_of_somebody_else_can_be_told_from_a_missing_one(owner: Owner, stranger: Owner) -> None:
    app = await owner.add()
    await owner.call("POST", f"/v1/apps/{app['app_id']}/disable")
    requests: list[tuple[str, str, object]] = [
        ("GET", "", None),
        ("GET", "/logo", None),
        ("GET", "/history", None),
        ("PATCH", "", {"city": None}),
    ]
    requests += [("POST", f"/{turn}", None) for turn in TURNS] + [("PUT", "/logo", None), ("DELETE", "/logo", None)]
    for method, rest, body in requests:
        for version in ("1", "2", "3"):
            told = [
                await stranger.call(method, f"/v1/apps/{app_id}{rest}", json=body, headers={"if-match": f'"{version}"'})
                for app_id in (app["app_id"], MISSING)
            ]
            for answer in told:
                refused(answer, 404, "resource.not_found")
            theirs, nobodys = ({**answer.json(), "request_id": ""} for answer in told)
            assert theirs == nobodys
            assert [name for name, _ in told[0].headers.items()] == [name for name, _ in told[1].headers.items()]
    assert (await owner.get(app["app_id"]))["version"] == 2
    assert await stranger.names() == []


async def test_the_stream_of_another_kind_is_no_app(owner: Owner, stranger: Owner) -> None:
    subscription = await owner.subscribe()
    for who in (owner, stranger):
        for method, rest in [("PATCH", ""), ("DELETE", "/logo"), ("POST", "/domains")] + [("POST", f"/{turn}") for turn in TURNS]:
            body = {"domain": "shop.example"} if rest == "/domains" else {}
            told = [
                await who.call(method, f"/v1/apps/{name}{rest}", json=body, headers={"if-match": '"1"'})
                for name in (subscription, MISSING, "x" * 5_000)
            ]
            assert [(answer.status_code, answer.json()["code"]) for answer in told] == [(404, "resource.not_found")] * 3


async def test_nobody_gets_anything_without_signing_in(owner: Owner) -> None:
    app = "/v1/apps/app_1"
    reads = ("/v1/catalog", "/v1/subscriptions", "/v1/subscriptions/sub_1", "/v1/apps", app, f"{app}/history", f"{app}/logo")
    writes = [("POST", "/v1/subscriptions"), ("DELETE", "/v1/subscriptions/sub_1"), ("POST", "/v1/apps"), ("PATCH", app)]
    writes += [("POST", f"{app}/{turn}") for turn in TURNS] + [("PUT", f"{app}/logo"), ("DELETE", f"{app}/logo")]
    for method, path in [("GET", path) for path in reads] + writes:
        refused(await owner.http.request(method, path), 401, "auth.required")
        refused(await owner.http.request(method, path, headers=machine("keys:verify")), 403, "auth.wrong_kind_of_caller")
