"""What can be done with a pair over HTTP: one test a route and status. S44 to S52."""

import asyncio

import pytest

from shared.ids import new_id
from tests.keys.conftest import Running
from tests.tokens import person

pytestmark = pytest.mark.stack
READ = '"3"'
STALE = '"2"'


async def test_get_shows_the_public_key_and_the_end_of_the_secret(keys: Running) -> None:
    """S47, S51."""
    made = await keys.generate()
    answer = await keys.http.get(f"{keys.path}/{made['pair_id']}", headers=keys.me)
    assert answer.status_code == 200
    assert answer.headers["etag"] == '"3"'
    shown = answer.json()
    assert (shown["public_key"], shown["secret_last_four"]) == (made["public_key"], made["secret_key"][-4:])
    assert made["secret_key"] not in answer.text


async def test_the_list_is_newest_first_and_paged(keys: Running) -> None:
    first = await keys.generate()
    second = await keys.regenerate(first)
    page = (await keys.http.get(keys.path, params={"limit": 1}, headers=keys.me)).json()
    rest = (await keys.http.get(keys.path, params={"limit": 1, "cursor": page["next_cursor"]}, headers=keys.me)).json()
    assert [pair["pair_id"] for pair in page["items"] + rest["items"]] == [second["pair_id"], first["pair_id"]]
    assert rest["next_cursor"] is None


async def test_the_list_can_be_of_one_environment(keys: Running) -> None:
    live, _ = await keys.generate("live"), await keys.generate("test")
    page = (await keys.http.get(keys.path, params={"environment": "live"}, headers=keys.me)).json()
    assert [pair["pair_id"] for pair in page["items"]] == [live["pair_id"]]


async def test_422_for_a_cursor_of_another_list(keys: Running) -> None:
    first = await keys.generate()
    await keys.regenerate(first)
    page = (await keys.http.get(keys.path, params={"limit": 1}, headers=keys.me)).json()
    answer = await keys.http.get(keys.path, params={"environment": "live", "cursor": page["next_cursor"]}, headers=keys.me)
    assert (answer.status_code, answer.json()["code"]) == (422, "request.bad_cursor")


async def test_410_for_a_second_look_at_the_secret(keys: Running) -> None:
    """S47."""
    made = await keys.generate()
    answer = await keys.http.get(f"{keys.path}/{made['pair_id']}/secret", headers=keys.me)
    assert (answer.status_code, answer.json()["code"]) == (410, "keys.secret_already_revealed")
    assert answer.json()["title"] == "Credentials already viewed or downloaded, try regenerating if lost."


async def test_history_is_latest_first_and_paged_and_names_no_secret(keys: Running) -> None:
    old = await keys.generate("live")
    new = await keys.regenerate(old)
    await keys.post(new, "revoke", {"reason": "leaked"})
    path = f"{keys.path}/history"
    page = (await keys.http.get(path, params={"limit": 2}, headers=keys.me)).json()
    answer = await keys.http.get(path, params={"cursor": page["next_cursor"]}, headers=keys.me)
    rest = answer.json()
    assert [(row["event"], row["pair_id"]) for row in page["items"] + rest["items"]] == [
        ("keys.KeyRevoked", new["pair_id"]), ("keys.KeyDisabled", old["pair_id"]), ("keys.KeySecretRevealed", new["pair_id"]),
        ("keys.KeyRotated", old["pair_id"]), ("keys.KeyPairGenerated", new["pair_id"]), ("keys.KeySecretRevealed", old["pair_id"]),
        ("keys.KeyPairGenerated", old["pair_id"]),
    ]  # fmt: skip
    assert {(row["actor"], row["environment"]) for row in page["items"]} == {(keys.owner, "live")}
    assert (page["items"][0]["reason"], rest["next_cursor"]) == ("leaked", None)
    assert old["secret_key"] not in answer.text


async def test_history_is_the_owners_alone(keys: Running) -> None:
    await keys.generate()
    for path, me, status in ((keys.path, person("acc_stranger"), 404), (keys.path, {}, 401), ("/v1/apps/app_none/keys", keys.me, 404)):
        assert (await keys.http.get(f"{path}/history", headers=me)).status_code == status


async def test_regenerating_gives_a_new_set_and_ends_the_old_one(keys: Running) -> None:
    """S48, S49."""
    old = await keys.generate(scopes=["charge"])
    new = await keys.regenerate(old)
    assert not {new["public_key"], new["secret_key"]} & {old["public_key"], old["secret_key"]}
    assert (new["lineage_id"], new["scopes"], new["status"]) == (old["lineage_id"], ["charge"], "active")
    assert [await keys.code(key) for key in (old["public_key"], old["secret_key"])] == ["ROTATED", "ROTATED"]
    assert [await keys.code(key) for key in (new["public_key"], new["secret_key"])] == ["VALID", "VALID"]


async def test_an_overlap_keeps_both_sets(keys: Running) -> None:
    """S49."""
    old = await keys.generate()
    new = await keys.regenerate(old, overlap_seconds=60)
    shown = (await keys.http.get(f"{keys.path}/{old['pair_id']}", headers=keys.me)).json()
    assert (shown["status"], shown["valid_until"] is None) == ("retiring", False)
    assert [await keys.code(old["secret_key"]), await keys.code(new["secret_key"])] == ["VALID", "VALID"]


async def test_an_overlap_ends_for_verifiers_in_its_instant_even_without_a_timer(keys: Running) -> None:
    """S49."""
    old = await keys.generate()
    await keys.regenerate(old, overlap_seconds=1)
    assert await keys.code(old["secret_key"]) == "VALID"
    await asyncio.sleep(1.0)
    assert await keys.code(old["secret_key"]) == "ROTATED"


async def test_428_without_if_match(keys: Running) -> None:
    answer = await keys.post(await keys.generate(), "regenerate")
    assert (answer.status_code, answer.json()["code"]) == (428, "request.if_match_required")


async def test_412_for_a_stale_version(keys: Running) -> None:
    answer = await keys.post(await keys.generate(), "regenerate", match=STALE)
    assert (answer.status_code, answer.json()["code"]) == (412, "resource.version_mismatch")


@pytest.mark.parametrize("what", ["disable", "enable", "revoke"])
async def test_412_is_honoured_by_every_command(keys: Running, what: str) -> None:
    assert (await keys.post(await keys.generate(), what, match=STALE)).status_code == 412


async def test_two_regenerations_at_once_leave_one_live_pair(keys: Running) -> None:
    made = await keys.generate()
    answers = await asyncio.gather(*(keys.post(made, "regenerate", match=READ) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [201] + [412] * 5
    listed = (await keys.http.get(keys.path, headers=keys.me)).json()["items"]
    assert sorted(pair["status"] for pair in listed) == ["active", "retired"]


async def test_a_repeated_regeneration_makes_nothing_and_shows_no_secret(keys: Running) -> None:
    """S47."""
    made = await keys.generate()
    key = new_id("idem")
    first, again = [await keys.post(made, "regenerate", match=READ, key=key) for _ in range(2)]
    assert (first.status_code, again.status_code) == (201, 201)
    assert (again.json()["pair_id"], again.json()["secret_key"]) == (first.json()["pair_id"], None)
    assert again.json()["code"] == "keys.secret_already_revealed"


@pytest.mark.parametrize("seconds", [-1, 604_801])
async def test_422_for_an_overlap_out_of_range(keys: Running, seconds: int) -> None:
    answer = await keys.post(await keys.generate(), "regenerate", {"overlap_seconds": seconds}, match=READ)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/overlap_seconds")


async def test_disabled_keys_are_refused_until_they_are_enabled(keys: Running) -> None:
    made = await keys.generate()
    disabled = await keys.post(made, "disable")
    assert (disabled.status_code, disabled.json()["status"], disabled.json()["reason"]) == (200, "disabled", "requested")
    assert await keys.code(made["secret_key"]) == "DISABLED"
    enabled = await keys.post(made, "enable")
    assert (enabled.status_code, enabled.json()["status"], enabled.json()["reason"]) == (200, "active", None)
    assert await keys.code(made["secret_key"]) == "VALID"


async def test_disabling_twice_is_no_change(keys: Running) -> None:
    made = await keys.generate()
    first, again = await keys.post(made, "disable"), await keys.post(made, "disable")
    assert (again.status_code, again.headers["etag"]) == (200, first.headers["etag"])


async def test_409_for_enabling_beside_an_active_pair(keys: Running) -> None:
    made = await keys.generate()
    await keys.post(made, "disable")
    await keys.generate()
    answer = await keys.post(made, "enable")
    assert (answer.status_code, answer.json()["code"]) == (409, "keys.pair_already_active")


async def test_409_for_what_has_ended_or_is_ending(keys: Running) -> None:
    old = await keys.generate()
    new = await keys.regenerate(old, overlap_seconds=60)
    assert (await keys.post(old, "disable")).json()["code"] == "keys.pair_retiring"
    await keys.post(new, "revoke")
    assert (await keys.post(new, "enable")).json()["code"] == "keys.pair_ended"
    version = (await keys.http.get(f"{keys.path}/{new['pair_id']}", headers=keys.me)).headers["etag"]
    answer = await keys.post(new, "regenerate", match=version)
    assert (answer.status_code, answer.json()["code"]) == (409, "keys.pair_ended")


async def test_a_rotation_is_finished_before_its_overlap_is_over(keys: Running) -> None:
    old = await keys.generate()
    new = await keys.regenerate(old, overlap_seconds=600)
    finished, again = await keys.post(old, "rotation/finish"), await keys.post(old, "rotation/finish")
    assert (finished.status_code, finished.json()["status"], again.headers["etag"]) == (200, "retired", finished.headers["etag"])
    assert [await keys.code(pair["secret_key"]) for pair in (old, new)] == ["ROTATED", "VALID"]


async def test_a_rotation_is_rolled_back_within_its_overlap(keys: Running) -> None:
    old = await keys.generate()
    new = await keys.regenerate(old, overlap_seconds=600)
    back = await keys.post(old, "rotation/rollback")
    assert (back.status_code, back.json()["status"], back.json()["valid_until"]) == (200, "active", None)
    assert [await keys.code(pair[kind]) for pair in (old, new) for kind in ("public_key", "secret_key")] == [
        *["VALID"] * 2,
        *["ROTATED"] * 2,
    ]
    third = await keys.regenerate(old, overlap_seconds=600)
    assert [await keys.code(pair["secret_key"]) for pair in (old, third)] == ["VALID", "VALID"]


async def test_409_for_ending_an_overlap_that_is_not_there(keys: Running) -> None:
    old = await keys.generate()
    for what in ("finish", "rollback"):
        answer = await keys.post(old, f"rotation/{what}")
        assert (answer.status_code, answer.json()["code"]) == (409, "keys.pair_not_retiring")
    await keys.regenerate(old)
    answer = await keys.post(old, "rotation/rollback")
    assert (answer.status_code, answer.json()["code"]) == (409, "keys.pair_ended")


async def test_409_for_regenerating_a_disabled_pair(keys: Running) -> None:
    made = await keys.generate()
    disabled = await keys.post(made, "disable")
    answer = await keys.post(made, "regenerate", match=disabled.headers["etag"])
    assert (answer.status_code, answer.json()["code"]) == (409, "keys.pair_disabled")


async def test_revoked_keys_are_refused_for_ever(keys: Running) -> None:
    """I7."""
    made = await keys.generate()
    revoked = await keys.post(made, "revoke", {"reason": "leaked"})
    assert (revoked.status_code, revoked.json()["status"], revoked.json()["reason"]) == (200, "revoked", "leaked")
    assert [await keys.code(key) for key in (made["public_key"], made["secret_key"])] == ["REVOKED", "REVOKED"]
    assert (await keys.post(made, "revoke")).json()["status"] == "revoked"


async def test_422_for_a_reason_that_is_too_long(keys: Running) -> None:
    answer = await keys.post(await keys.generate(), "revoke", {"reason": "x" * 201})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/reason")


@pytest.mark.parametrize("what", ["", "/secret", "/usage"])
async def test_404_for_reading_another_tenants_pair(keys: Running, what: str) -> None:
    """I9."""
    made = await keys.generate()
    foreign = await keys.http.get(f"{keys.path}/{made['pair_id']}{what}", headers=person("acc_other"))
    missing = await keys.http.get(f"{keys.path}/kp_missing{what}", headers=keys.me)
    assert (foreign.status_code, foreign.json()["code"]) == (404, "keys.pair_not_found")
    assert {**foreign.json(), "request_id": ""} == {**missing.json(), "request_id": ""}


@pytest.mark.parametrize("what", ["regenerate", "disable", "enable", "revoke", "rotation/finish", "rotation/rollback"])
async def test_404_for_commanding_another_tenants_pair(keys: Running, what: str) -> None:
    """I9."""
    made = await keys.generate()
    headers = person("acc_other") | {"If-Match": READ}
    answer = await keys.http.post(f"{keys.path}/{made['pair_id']}/{what}", json={}, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (404, "keys.pair_not_found")
    assert await keys.code(made["secret_key"]) == "VALID"


async def test_404_for_the_list_of_another_tenants_app(keys: Running) -> None:
    answer = await keys.http.get(keys.path, headers=person("acc_other"))
    assert (answer.status_code, answer.json()["code"]) == (404, "keys.app_not_found")


@pytest.mark.parametrize(("method", "what"), [("GET", ""), ("GET", "/kp_1"), ("GET", "/kp_1/usage"), ("POST", "/kp_1/revoke")])
async def test_401_without_a_token(keys: Running, method: str, what: str) -> None:
    assert (await keys.http.request(method, keys.path + what)).status_code == 401
