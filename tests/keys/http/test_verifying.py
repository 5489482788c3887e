"""POST /v1/keys/verify: who may ask, what they are told, and when nobody is told anything. S44, S45, S52, I7."""

import asyncio
import base64
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2 as httpx
import pytest
from latchkey.keyformat import Environment, Kind, make_key

from services.keys.api.verify import PATH
from services.keys.settings import Settings
from shared.http.protocol import Later
from shared.ids import new_id
from tests.keys.conftest import Running, seed, serving
from tests.tokens import machine, person

pytestmark = pytest.mark.stack
UNKNOWN = make_key(Kind.SECRET, Environment.TEST, bytes(range(32)))


async def test_200_for_a_good_key(keys: Running) -> None:
    made = await keys.generate(scopes=["charge", "refund"])
    answer = await keys.verify(made["secret_key"], scope="charge")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.json() == {
        "valid": True, "code": "VALID", "detail": "The key is good.", "app_id": keys.app_id, "pair_id": made["pair_id"], "kind": "sk",
        "environment": "test", "scopes": ["charge", "refund"], "expires_at": None,
    }  # fmt: skip


def _at_once(keys: Running, headers: dict[str, str], body: Any, **scope: Any) -> Any:
    """What the server writes in the turn of the request, after its status line; None when the request takes the long way; or Later."""
    sent = [(name.encode(), value.encode()) for name, value in ({"content-type": "application/json"} | headers).items()]
    request = {"type": "http", "method": "POST", "path": PATH, "query_string": b"", "headers": sent, "client": None} | scope
    return keys.app.hot[PATH].at_once(request, json.dumps(body).encode())


async def test_what_is_answered_at_once_is_what_would_be_answered_in_a_task(keys: Running) -> None:
    plain, ruled = await keys.generate(scopes=["charge"]), await keys.generate("live", allowed_ips=["10.0.0.0/8"])
    ended = (await keys.post(await keys.regenerate(plain), "revoke")).json()
    bodies: list[dict[str, str]] = [{"key": made[name]} for made in (plain, ruled) for name in ("public_key", "secret_key")]
    bodies += [{"key": "hello"}, {"key": ended["public_key"]}, {"key": ruled["public_key"], "ip": "10.1.1.1", "scope": "refund"}]
    me = machine("keys:verify")
    assert _at_once(keys, me, bodies[0]) is None  # nobody has looked at this token yet
    for body in bodies:
        answer = await keys.http.post(PATH, json=body, headers=me)
        head, _, verdict = _at_once(keys, me, body).partition(b"\r\n\r\n")
        assert verdict == answer.content
        assert dict(line.split(": ") for line in head.decode().split("\r\n")) == dict(answer.headers)


async def test_an_unknown_key_is_waited_for_without_a_task(keys: Running, settings: Settings) -> None:
    made, me, unknown = await keys.generate(), machine("keys:verify"), {"key": UNKNOWN}
    answer = await keys.http.post(PATH, json=unknown, headers=me)
    async with serving(settings) as other:  # makes a key that this process has to hear of
        await other.http.post(PATH, json=unknown, headers=me)
        new = {"key": (await keys.regenerate(made))["secret_key"]}
        waiting = _at_once(other, me, new), _at_once(other, me, unknown)
        async with asyncio.timeout(10):
            for each in waiting:
                if isinstance(each, Later):
                    await each.done
        assert isinstance(waiting[1], Later)
        head, _, verdict = (waiting[1].answer() or b"").partition(b"\r\n\r\n")
        assert verdict == answer.content
        assert dict(line.split(": ") for line in head.decode().split("\r\n")) == dict(answer.headers)
        assert b'"code":"VALID"' in _at_once(other, me, new)


async def test_what_is_out_of_the_ordinary_is_not_answered_at_once(keys: Running) -> None:
    made, me = await keys.generate(), machine("keys:verify")
    good = {"key": made["secret_key"]}
    await keys.http.post(PATH, json=good, headers=me)
    assert _at_once(keys, me, good) is not None
    odd: list[Any] = [{"key": 1}, {}, [], {"key": "k" * 5_000}, good | {"colour": "red"}]
    for body in odd:
        assert _at_once(keys, me, body) is None
    assert _at_once(keys, me, good, method="PUT") is None
    assert _at_once(keys, me, good, query_string=b"a=b") is None
    assert _at_once(keys, me | {"content-type": "text/plain"}, good) is None
    assert _at_once(keys, machine("feed:keys"), good) is None
    assert _at_once(keys, {"authorization": f"Bearer {made['secret_key']}"}, good) is None


async def test_verdicts_are_counted_by_outcome(keys: Running) -> None:
    made, me = await keys.generate(), machine("keys:verify")
    for key in (made["secret_key"], "hello", UNKNOWN):
        await keys.verify(key)
    await keys.http.post(PATH, json={"key": "hello"}, headers=me)
    assert _at_once(keys, me, {"key": made["public_key"]}) is not None
    async with httpx.AsyncClient(transport=httpx.ASGITransport(keys.app.health), base_url="http://keys") as internal:
        shown = (await internal.get("/metrics")).text.splitlines()
    counted = {'verifications{code="VALID"} 2.0', 'verifications{code="MALFORMED"} 2.0', 'verifications{code="NOT_FOUND"} 1.0'}
    assert counted <= set(shown)
    assert 'database_connections{pool="log",state="most"} 8.0' in shown


async def test_a_token_is_not_admitted_beyond_its_life(keys: Running) -> None:
    me, good = machine("keys:verify", exp=int(time.time()) + 2), {"key": (await keys.generate())["secret_key"]}
    assert (await keys.http.post(PATH, json=good, headers=me)).status_code == 200
    assert _at_once(keys, me, good) is not None
    await asyncio.sleep(2.1)
    assert _at_once(keys, me, good) is None
    assert (await keys.http.post(PATH, json=good, headers=me)).json()["code"] == "auth.token_expired"


async def test_both_keys_are_known_by_their_kind(keys: Running) -> None:
    """S44."""
    made = await keys.generate("live")
    public, secret = (await keys.verify(made["public_key"])).json(), (await keys.verify(made["secret_key"])).json()
    assert (public["kind"], secret["kind"], public["environment"]) == ("pk", "sk", "live")


async def test_malformed_and_unknown_keys(keys: Running) -> None:
    made = await keys.generate()
    typo = made["secret_key"][:-1] + ("a" if made["secret_key"][-1] != "a" else "b")
    assert [await keys.code(key) for key in ("", "hello", typo)] == ["MALFORMED"] * 3
    unknown = (await keys.verify(UNKNOWN)).json()
    assert (unknown["valid"], unknown["code"], unknown["kind"], unknown["app_id"]) == (False, "NOT_FOUND", "sk", None)


async def test_a_key_made_by_another_process_is_never_refused_for_being_new(keys: Running, settings: Settings) -> None:
    async with serving(settings) as other:
        for _ in range(5):
            made = await other.generate()
            assert await keys.code(made["secret_key"]) == "VALID"
            await other.post(made, "revoke")


async def test_what_another_process_revoked_is_refused_within_the_bound(keys: Running, settings: Settings) -> None:
    """I7."""
    async with serving(settings) as other:
        made = await other.generate()
        assert await keys.code(made["secret_key"]) == "VALID"
        await other.post(made, "revoke")
        await keys.becomes(made["secret_key"], "REVOKED", settings.bound_seconds)


async def test_expiry_is_judged_in_its_instant(keys: Running) -> None:
    made = await keys.generate(expires_at=(datetime.now(UTC) + timedelta(seconds=1)).isoformat())
    assert await keys.code(made["secret_key"]) == "VALID"
    await asyncio.sleep(1.05)
    assert await keys.code(made["secret_key"]) == "EXPIRED"


async def test_scopes_are_judged(keys: Running) -> None:
    made = await keys.generate(scopes=["charge"])
    assert [await keys.code(made["secret_key"], scope=scope) for scope in ("charge", "refund")] == ["VALID", "INSUFFICIENT_SCOPE"]


async def test_addresses_are_judged(keys: Running) -> None:
    made = await keys.generate(allowed_ips=["10.0.0.0/8"])
    assert [await keys.code(made["secret_key"], ip=ip) for ip in ("10.9.8.7", "192.0.2.1")] == ["VALID", "FORBIDDEN_IP"]
    assert await keys.code(made["secret_key"]) == "FORBIDDEN_IP"


async def test_origins_are_judged(keys: Running) -> None:
    """S45."""
    made = await keys.generate(allowed_origins=["https://shop.example"])
    codes = [await keys.code(made["public_key"], origin=origin) for origin in ("https://shop.example", "https://other.example")]
    assert codes == ["VALID", "FORBIDDEN_ORIGIN"]
    assert await keys.code(made["secret_key"], origin="https://shop.example") == "FORBIDDEN_ORIGIN"


async def _by(keys: Running, key: str, headers: dict[str, str], **body: str) -> httpx.Response:
    return await keys.http.post("/v1/keys/verify", json={"key": key, **body}, headers=headers)


async def test_an_apps_own_secret_key_may_ask_about_its_own_keys(keys: Running) -> None:
    test, live = await keys.generate("test"), await keys.generate("live")
    basic = base64.b64encode(f"{test['secret_key']}:".encode()).decode()
    for authorization in (f"Bearer {test['secret_key']}", f"Basic {basic}"):
        answer = await _by(keys, live["public_key"], {"authorization": authorization})
        assert (answer.status_code, answer.json()["code"]) == (200, "VALID")


async def test_another_apps_key_is_not_found_by_a_secret_key(keys: Running, settings: Settings) -> None:
    """I9."""
    async with serving(settings) as other:
        mine, foreign = await keys.generate(), await other.generate()
        answer = await _by(keys, foreign["secret_key"], {"authorization": f"Bearer {mine['secret_key']}"})
        unknown = await _by(keys, UNKNOWN, {"authorization": f"Bearer {mine['secret_key']}"})
    assert answer.json() == unknown.json()
    assert answer.json()["code"] == "NOT_FOUND"


async def test_401_for_a_secret_key_that_is_not_good_itself(keys: Running) -> None:
    made = await keys.generate()
    await keys.post(made, "revoke")
    for key in (made["secret_key"], UNKNOWN, "lk_sk_test_nonsense"):
        answer = await _by(keys, made["public_key"], {"authorization": f"Bearer {key}"})
        assert (answer.status_code, answer.json()["code"]) == (401, "keys.caller_refused")


async def test_403_for_a_secret_key_from_a_browser(keys: Running) -> None:
    """S45."""
    made = await keys.generate()
    headers = {"authorization": f"Bearer {made['secret_key']}", "origin": "https://shop.example"}
    answer = await _by(keys, made["public_key"], headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "keys.secret_key_in_browser")


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer nonsense"}, {"authorization": "Basic bm9ib2R5Og=="}])
async def test_401_without_a_good_credential(keys: Running, headers: dict[str, str]) -> None:
    answer = await _by(keys, UNKNOWN, headers)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_public_key_may_not_ask(keys: Running) -> None:
    """S44."""
    made = await keys.generate()
    assert (await _by(keys, made["public_key"], {"authorization": f"Bearer {made['public_key']}"})).status_code == 401


@pytest.mark.parametrize("caller", [lambda: machine("feed:keys"), person])
async def test_403_without_the_scope(keys: Running, caller: Callable[[], dict[str, str]]) -> None:
    assert (await _by(keys, UNKNOWN, caller())).status_code == 403


async def test_the_feed_is_for_machines_with_its_scope(keys: Running) -> None:
    made = await keys.generate()
    for headers, status in ((machine("keys:verify"), 403), (person(), 403), ({}, 401), (machine("feed:keys"), 200)):
        assert (await keys.http.get("/v1/feed", headers=headers)).status_code == status
    read = await keys.http.get("/v1/feed", params={"limit": 1000}, headers=machine("feed:keys"))
    [told] = [event for event in read.json()["items"] if event["data"].get("public_key") == made["public_key"]]
    assert (told["type"], told["tenantid"]) == ("keys.KeyPairGenerated.v1", keys.owner)
    assert made["secret_key"] not in read.text


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({}, ["/key"]),
        ({"key": 1}, ["/key"]),
        ({"key": None}, ["/key"]),
        ({"key": "k" * 257}, ["/key"]),
        ({"key": "k", "colour": 1, "scope": []}, ["/colour", "/scope"]),
        ([], [""]),
    ],
)
async def test_422_names_every_wrong_field(keys: Running, body: Any, pointers: list[str]) -> None:
    answer = await keys.http.post("/v1/keys/verify", json=body, headers=machine("keys:verify"))
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == pointers


async def test_other_refusals_of_the_route(keys: Running) -> None:
    def sent(content: bytes, media: str) -> Any:
        headers = machine("keys:verify") | {"content-type": media, "x-request-id": "request-1234"}
        return keys.http.post("/v1/keys/verify", content=content, headers=headers)

    answers = [await sent(b"{", "application/json"), await sent(b"x" * 5_000, "application/json"), await sent(b"{}", "text/plain")]
    answers.append(await keys.http.get("/v1/keys/verify", headers=machine("keys:verify")))
    assert [answer.status_code for answer in answers] == [400, 413, 415, 405]
    assert answers[0].json()["request_id"] == answers[0].headers["x-request-id"] == "request-1234"


async def test_503_when_the_log_cannot_be_read_any_more(settings: Settings) -> None:
    """I7: fail closed within the bound, recover without a human."""
    async with serving(settings) as keys:
        good, me = {"key": (await keys.generate())["secret_key"]}, machine("keys:verify")
        assert (await keys.http.post(PATH, json=good, headers=me)).json()["code"] == "VALID"
        assert _at_once(keys, me, good) is not None
        role = await keys.db.fetchval("SELECT usename FROM pg_stat_activity WHERE application_name = 'verifier table' LIMIT 1")
        await keys.db.execute(f'REVOKE EXECUTE ON FUNCTION es.fence FROM PUBLIC, "{role}"')  # so that nothing can be proven fresh
        await asyncio.sleep(settings.bound_seconds + 0.1)
        answer = await keys.http.post(PATH, json=good, headers=me)
        assert _at_once(keys, me, good) is None
        unready = await keys.app.health.reasons()
        await keys.db.execute("GRANT EXECUTE ON FUNCTION es.fence TO PUBLIC")
        assert (answer.status_code, answer.json()["code"]) == (503, "STALE_FEED")
        assert answer.headers["retry-after"] == "1"
        assert "verifier" in unready
        await _answers_again(keys, good["key"])


async def _answers_again(keys: Running, key: str) -> None:
    async with asyncio.timeout(10):
        while (await keys.verify(key)).status_code != 200:  # noqa: ASYNC110  # what is asked lives behind HTTP
            await asyncio.sleep(0.02)


async def test_a_restarted_process_knows_all_keys_and_all_that_ended(keys: Running, settings: Settings) -> None:
    """I7: the table that is loaded from the view answers as the one that was fed."""
    old = await keys.generate(scopes=["a"], allowed_ips=["10.0.0.0/8"])
    new = await keys.regenerate(old)
    overlapping = await keys.generate("live")
    latest = await keys.regenerate(overlapping, overlap_seconds=60)
    await keys.post(latest, "disable")
    everything = [made[name] for made in (old, new, overlapping, latest) for name in ("public_key", "secret_key")]
    before = [(await keys.verify(key, ip="10.1.1.1", scope="a")).json() for key in everything]
    async with serving(settings) as restarted:
        after = [(await restarted.verify(key, ip="10.1.1.1", scope="a")).json() for key in everything]
    assert after == before
    assert [verdict["code"] for verdict in after[::2]] == ["ROTATED", "VALID", "INSUFFICIENT_SCOPE", "DISABLED"]


async def test_a_suspended_ring_is_loaded_as_suspended(keys: Running, settings: Settings) -> None:
    """S52."""
    owner, app_id = new_id("acc"), new_id("app")
    await seed(keys.db, app_id, owner, subscribed=False)
    answer = await keys.http.post(f"/v1/apps/{app_id}/keys", json={"environment": "test"}, headers=person(owner))
    assert (answer.status_code, answer.json()["suspensions"]) == (201, ["unsubscribed"])
    async with serving(settings) as restarted:
        verdict = (await restarted.verify(answer.json()["secret_key"])).json()
    assert (verdict["code"], verdict["detail"]) == ("APP_DISABLED", "Application is disabled!")


async def test_the_route_is_documented_and_its_age_exported(keys: Running) -> None:
    document = (await keys.http.get("/openapi.json")).json()
    operation = document["paths"]["/v1/keys/verify"]["post"]
    assert [next(iter(scheme)) for scheme in operation["security"]] == ["serviceToken", "secretKey"]
    assert {"200", "401", "403", "413", "415", "422", "503"} <= set(operation["responses"])
    internal = httpx.AsyncClient(transport=httpx.ASGITransport(keys.app.health), base_url="http://keys")
    async with internal:
        assert "\nverifier_age_seconds " in (await internal.get("/metrics")).text
