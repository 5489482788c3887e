"""S35–S53 across the services: keys that work, keys that stop, numbers that add up, events that others see."""

import asyncio
import time

import httpx2
import pytest
from aiokafka import AIOKafkaConsumer
from latchkey.envelope import Envelope, decode
from latchkey.topics import KEYS_KEYRING_EVENTS, REGISTRY_APP_EVENTS

from tests.people import Developer, transaction
from tests.product import Product

pytestmark = pytest.mark.stack


async def test_s35_s36_s37_numbers_by_status_with_filters(developer: Developer) -> None:
    app = await developer.add_app()
    pair = await developer.generate(app["app_id"])
    assert (await developer.overview(app["app_id"]))["total"] == 0
    sent = [transaction(n, status="failed" if n % 3 == 0 else "succeeded", amount="2.50") for n in range(9)]
    assert (await developer.record(pair["secret_key"], *sent)).status_code == 201
    found = await developer.overview(app["app_id"])
    counts = {row["status"]: row["count"] for row in found["by_status"] if row["count"]}
    assert (found["total"], found["today"], counts) == (9, 9, {"failed": 3, "succeeded": 6})
    failed = await developer.overview(app["app_id"], status="failed")
    assert (failed["total"], failed["amounts"]) == (3, [{"currency": "EUR", "amount": "7.50"}])


async def test_s43_s46_s47_two_keys_once(developer: Developer) -> None:
    app = await developer.add_app()
    pair = await developer.generate(app["app_id"])
    assert pair["public_key"].startswith("lk_pk_live_")
    assert pair["secret_key"].startswith("lk_sk_live_")
    assert all(pair["secret_key"] in text and pair["public_key"] in text for text in pair["downloads"].values())
    assert set(pair["downloads"]) >= {"txt", "env", "json"}
    path = f"/v1/apps/{app['app_id']}/keys/{pair['pair_id']}"
    second = await developer.call("GET", "keys", f"{path}/secret")
    assert (second.status_code, second.json()["code"]) == (410, "keys.secret_already_revealed")
    for look in (path, f"/v1/apps/{app['app_id']}/keys"):
        assert pair["secret_key"] not in (await developer.call("GET", "keys", look)).text


async def test_s44_s45_a_public_key_reads_nothing_and_browsers_hold_no_secret(developer: Developer, http: httpx2.AsyncClient) -> None:
    app = await developer.add_app()
    pair = await developer.generate(app["app_id"])
    metrics = developer.product.at["metrics"]
    read = await http.get(f"{metrics}/v1/apps/{app['app_id']}/overview", auth=(pair["public_key"], ""))
    assert read.status_code in {401, 403}
    assert (await developer.record(pair["public_key"], transaction(1))).status_code in {207, 403, 422}
    body = transaction(2)
    browser = await http.post(
        f"{metrics}/v1/transactions", auth=(pair["secret_key"], ""), json=body, headers={"Origin": "https://shop.example"}
    )
    assert browser.status_code == 403
    assert (await developer.overview(app["app_id"]))["total"] == 0


async def test_s48_s49_regenerating_ends_the_old_pair_everywhere(developer: Developer) -> None:
    app = await developer.add_app()
    old = await developer.generate(app["app_id"])
    assert (await developer.record(old["secret_key"], transaction(1))).status_code == 201
    path = f"/v1/apps/{app['app_id']}/keys/{old['pair_id']}"
    etag = (await developer.call("GET", "keys", path)).headers["ETag"]
    answer = await developer.call("POST", "keys", f"{path}/regenerate", json={"overlap_seconds": 0}, headers={"If-Match": etag})
    assert answer.status_code == 201, answer.text
    new = answer.json()
    assert {new["public_key"], new["secret_key"]}.isdisjoint({old["public_key"], old["secret_key"]})
    assert await developer.verdict(old["secret_key"]) == await developer.verdict(old["public_key"]) == "ROTATED"
    assert await developer.verdict(new["secret_key"]) == "VALID"
    await _refused_within(developer, old["secret_key"], seconds=2)
    assert (await developer.record(new["secret_key"], transaction(3))).status_code == 201


async def _refused_within(developer: Developer, secret: str, seconds: float) -> None:
    until = time.monotonic() + seconds
    while (answer := await developer.record(secret, transaction(999))).status_code != 401:
        assert time.monotonic() < until, answer.text
        await asyncio.sleep(0.02)


async def test_s49_an_overlap_ends_at_its_deadline(developer: Developer) -> None:
    app = await developer.add_app()
    old = await developer.generate(app["app_id"])
    path = f"/v1/apps/{app['app_id']}/keys/{old['pair_id']}"
    etag = (await developer.call("GET", "keys", path)).headers["ETag"]
    answer = await developer.call("POST", "keys", f"{path}/regenerate", json={"overlap_seconds": 3}, headers={"If-Match": etag})
    assert answer.status_code == 201, answer.text
    assert await developer.verdict(old["secret_key"]) == "VALID"
    await asyncio.sleep(3.2)
    assert await developer.verdict(old["secret_key"]) == "ROTATED"


async def test_s51_two_simultaneous_presses_make_one_pair(developer: Developer) -> None:
    app = await developer.add_app()
    path = f"/v1/apps/{app['app_id']}/keys"
    presses = await asyncio.gather(*(developer.call("POST", "keys", path, json={"environment": "live"}) for _ in range(4)))
    assert sorted(press.status_code for press in presses) == [201, 409, 409, 409]
    assert {press.json()["code"] for press in presses if press.status_code == 409} == {"keys.pair_already_active"}


async def test_s52_a_disabled_apps_keys_are_refused_and_work_again(developer: Developer) -> None:
    app = await developer.add_app()
    pair = await developer.generate(app["app_id"])
    for command, verdict in (("disable", "APP_DISABLED"), ("enable", "VALID"), ("archive", "APP_DISABLED"), ("restore", "VALID")):
        assert (await developer.call("POST", "registry", f"/v1/apps/{app['app_id']}/{command}")).status_code == 200
        await _until_verdict(developer, pair["secret_key"], verdict)


async def test_without_a_subscription_keys_are_refused(developer: Developer) -> None:
    app = await developer.add_app()
    pair = await developer.generate(app["app_id"])
    [subscription] = (await developer.call("GET", "registry", "/v1/subscriptions")).json()["items"]
    assert (await developer.call("DELETE", "registry", f"/v1/subscriptions/{subscription['subscription_id']}")).status_code in {200, 204}
    await _until_verdict(developer, pair["secret_key"], "APP_DISABLED")
    await developer.subscribe()
    await _until_verdict(developer, pair["secret_key"], "VALID")


async def _until_verdict(developer: Developer, key: str, verdict: str) -> None:
    for _ in range(100):
        found = await developer.verdict(key)
        if found == verdict:
            return
        await asyncio.sleep(0.05)
    raise AssertionError(f"{found} instead of {verdict} after 5 s")


async def test_s53_others_see_what_happened_and_no_secret(developer: Developer, product: Product) -> None:
    app = await developer.add_app()
    pair = await developer.generate(app["app_id"])
    path = f"/v1/apps/{app['app_id']}/keys/{pair['pair_id']}"
    etag = (await developer.call("GET", "keys", path)).headers["ETag"]
    new = (await developer.call("POST", "keys", f"{path}/regenerate", json={}, headers={"If-Match": etag})).json()
    await asyncio.sleep(1)
    seen = [event for event in await _events(product.stack.bootstrap) if event.tenant == developer.account_id]
    types = [event.type for event in seen if event.source == "/keys"]
    assert types == [
        "keys.KeyPairGenerated.v1", "keys.KeySecretRevealed.v1", "keys.KeyPairGenerated.v1", "keys.KeyRotated.v1",
        "keys.KeySecretRevealed.v1", "keys.KeyDisabled.v1",
    ]  # fmt: skip
    assert "registry.AppRegistered.v1" in {event.type for event in seen}
    everything = repr(seen)
    assert pair["secret_key"] not in everything
    assert new["secret_key"] not in everything
    assert "shop@example.com" not in everything


async def _events(bootstrap: str) -> list[Envelope]:
    consumer = AIOKafkaConsumer(
        REGISTRY_APP_EVENTS, KEYS_KEYRING_EVENTS, bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False
    )
    await consumer.start()
    found: list[Envelope] = []
    try:
        while records := await consumer.getmany(timeout_ms=700):
            found += [decode(record.value) for part in records.values() for record in part if record.value]
    finally:
        await consumer.stop()
    return found


async def test_an_erased_account_takes_everything_with_it(developer: Developer) -> None:
    app = await developer.add_app()
    pair = await developer.generate(app["app_id"])
    assert (await developer.record(pair["secret_key"], transaction(1))).status_code == 201
    account = await developer.call("GET", "identity", "/v1/account")
    gone = await developer.call("DELETE", "identity", "/v1/account", headers={"If-Match": account.headers["ETag"]})
    assert gone.status_code in {200, 202, 204}, gone.text
    await _until_verdict(developer, pair["secret_key"], "REVOKED")
    for _ in range(100):
        if (await developer.call("GET", "registry", "/v1/apps")).status_code == 401:
            break
        await asyncio.sleep(0.1)
    assert (await developer.call("GET", "registry", "/v1/apps")).status_code == 401
    assert (await developer.sign_in()).status_code == 401
