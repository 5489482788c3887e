"""S33: the list of apps, its search and its pages, and the history of an app."""

import pytest

from tests.registry.owner import Owner, refused

pytestmark = pytest.mark.stack


async def pages(owner: Owner, path: str, **query: object) -> list[list[dict[str, object]]]:
    """Every page of a list."""
    found, cursor = [], None
    while True:
        answer = await owner.call("GET", path, params={**query, **({"cursor": cursor} if cursor else {})})
        assert answer.status_code == 200, answer.text
        found.append(answer.json()["items"])
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            return found


async def test_pages_hold_every_app_once_newest_first(owner: Owner, stranger: Owner) -> None:
    await stranger.add("Not mine")
    made = [(await owner.add(f"Shop {number}"))["app_id"] for number in range(7)]
    found = await pages(owner, "/v1/apps", limit=3)
    assert [len(page) for page in found] == [3, 3, 1]
    shown = [app["app_id"] for page in found for app in page]
    assert shown == sorted(made, reverse=True)


async def test_pages_stay_what_they_were_while_apps_come_and_go(owner: Owner) -> None:
    before = [(await owner.add(f"Shop {number}"))["app_id"] for number in range(6)]
    first = (await owner.call("GET", "/v1/apps", params={"limit": 2})).json()
    await owner.add("Newer")
    await owner.call("POST", f"/v1/apps/{first['items'][1]['app_id']}/archive")
    second = (await owner.call("GET", "/v1/apps", params={"limit": 100, "cursor": first["next_cursor"]})).json()
    shown = [app["app_id"] for app in first["items"] + second["items"]]
    assert shown == sorted(before, reverse=True)


async def test_search_looks_into_names_whatever_their_case_and_finds_an_id(owner: Owner) -> None:
    corner = await owner.add("Corner Shop")
    await owner.add("Café 100% Ä_b")
    await owner.add("東京の店")
    assert await owner.names(q="SHOP") == ["Corner Shop"]
    assert await owner.names(q="cafe\u0301") == ["Café 100% Ä_b"]
    assert await owner.names(q="0%") == await owner.names(q="ä_B") == ["Café 100% Ä_b"]
    assert await owner.names(q="京の") == ["東京の店"]
    assert await owner.names(q=corner["app_id"]) == ["Corner Shop"]
    assert await owner.names(q="%") == ["Café 100% Ä_b"]
    assert await owner.names(q="nothing") == []
    assert len(await owner.names(q="")) == 3
    found = await pages(owner, "/v1/apps", q="o", limit=1)
    assert [app["name"] for page in found for app in page] == ["Corner Shop"]


async def test_the_list_can_be_narrowed_to_a_status(owner: Owner) -> None:
    for turn in ("enable", "disable", "archive"):
        app = await owner.add(turn)
        await owner.call("POST", f"/v1/apps/{app['app_id']}/{turn}")
    assert sorted(await owner.names()) == ["disable", "enable"]
    assert [await owner.names(status=status) for status in ("active", "disabled", "archived")] == [["enable"], ["disable"], ["archive"]]


@pytest.mark.parametrize("sort", ["name", "-name", "status", "-status", "registered_at", "-registered_at"])
async def test_the_list_is_sorted_as_asked_and_its_pages_hold_every_app_once(owner: Owner, sort: str) -> None:
    made = [await owner.add(name) for name in ("zebra", "Éclair", "apple", "Banana", "éclipse", "\ufdfa" * 256, "10 Downing")]
    for app in made[::2]:
        await owner.call("POST", f"/v1/apps/{app['app_id']}/disable")
    names = ["10 Downing", "apple", "Banana", "Éclair", "éclipse", "zebra", "\ufdfa" * 256]
    ids = {app["name"]: app["app_id"] for app in made}
    on = sorted(app["app_id"] for app in made[1::2])
    expected = {
        "name": [ids[name] for name in names], "registered_at": sorted(ids.values()), "status": on + sorted(set(ids.values()) - set(on)),
    }[sort.removeprefix("-")]  # fmt: skip
    found = await pages(owner, "/v1/apps", sort=sort, limit=2)
    assert [len(page) for page in found] == [2, 2, 2, 1]
    assert [app["app_id"] for page in found for app in page] == (expected[::-1] if sort.startswith("-") else expected)


async def test_a_sorted_page_goes_on_where_the_last_one_ended_whatever_became_of_its_last_app(owner: Owner) -> None:
    made = {name: (await owner.add(name))["app_id"] for name in ("Alpha", "Bravo", "Charlie", "Delta")}
    first = (await owner.call("GET", "/v1/apps", params={"limit": 2, "sort": "name"})).json()
    await owner.call("PATCH", f"/v1/apps/{made['Bravo']}", json={"name": "Zulu"}, headers={"if-match": '"1"'})
    await owner.add("Aardvark")
    second = (await owner.call("GET", "/v1/apps", params={"sort": "name", "cursor": first["next_cursor"]})).json()
    assert [app["name"] for app in second["items"]] == ["Charlie", "Delta", "Zulu"]


async def test_a_cursor_is_good_for_its_own_list_alone(owner: Owner, stranger: Owner) -> None:
    apps = [await owner.add(f"Shop {number}") for number in range(2)]
    cursor = (await owner.call("GET", "/v1/apps", params={"limit": 1})).json()["next_cursor"]
    changed = cursor[:-2] + ("BB" if cursor.endswith("AA") else "AA")
    asked = [
        owner.call("GET", "/v1/apps", params={"cursor": cursor, "q": "x"}),
        owner.call("GET", "/v1/apps", params={"cursor": cursor, "sort": "name"}),
        owner.call("GET", "/v1/apps", params={"cursor": changed}),
        owner.call("GET", f"/v1/apps/{apps[0]['app_id']}/history", params={"cursor": cursor}),
        stranger.call("GET", "/v1/apps", params={"cursor": cursor}),
    ]
    for answer in asked:
        refused(await answer, 422, "request.bad_cursor", "cursor")


@pytest.mark.parametrize(
    "query", [{"limit": 0}, {"limit": 101}, {"status": "gone"}, {"q": "x" * 257}, {"sort": "email"}, {"order": "name"}]
)
async def test_a_wrong_parameter_is_named(owner: Owner, query: dict[str, object]) -> None:
    refused(await owner.call("GET", "/v1/apps", params=query), 422, "request.invalid", *query)


async def test_the_history_says_who_did_what_when_and_no_contact_data(owner: Owner) -> None:
    app = await owner.add()
    path = f"/v1/apps/{app['app_id']}"
    await owner.call("PATCH", path, json={"name": "Corner Store", "email": "till@example.com"}, headers={"if-match": '"1"'})
    await owner.call("POST", f"{path}/disable")
    answer = await owner.call("GET", f"{path}/history")
    assert "till@example.com" not in answer.text
    assert [(item["version"], item["event"], item["changed"], item["actor"]) for item in answer.json()["items"]] == [
        (4, "registry.AppDisabled", [], owner.account_id),
        (3, "registry.AppContactChanged", ["email"], owner.account_id),
        (2, "registry.AppDetailsChanged", ["name"], owner.account_id),
        (1, "registry.AppRegistered", [], owner.account_id),
    ]
    times = [item["at"] for item in answer.json()["items"]]
    assert times == sorted(times, reverse=True)
    assert times[-1] == app["registered_at"]
    found = await pages(owner, f"{path}/history", limit=3)
    assert [[item["version"] for item in page] for page in found] == [[4, 3, 2], [1]]


async def test_hundreds_of_changes_are_paged(owner: Owner) -> None:
    app = await owner.add()
    for number in range(30):
        await owner.call("POST", f"/v1/apps/{app['app_id']}/{'enable' if number % 2 else 'disable'}")
    found = await pages(owner, f"/v1/apps/{app['app_id']}/history", limit=10)
    assert [item["version"] for page in found for item in page] == list(range(31, 0, -1))
