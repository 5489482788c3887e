"""The guide from sign-up to overview, step by step."""

import asyncio
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from demo import purchases as sample
from demo import stranger
from demo.calls import Calls, Endpoints
from demo.people import Developer
from demo.shop import Shop
from demo.story import Mismatch, Story
from stack.layout import Layout

DOWNLOADS = "txt, env, json"


async def walk(story: Story, at: Endpoints, layout: Layout) -> Developer:
    """All steps. Raises Mismatch when a total differs, Refused when a service says what it should not."""
    calls = Calls()
    developer = Developer(calls, at, story)
    with story.step("Register and verify by the mailed code"):
        await developer.register()
    with story.step("Sign in"):
        await developer.sign_in()
    with story.step("Subscribe to Latchkey Pay"):
        await developer.subscribe()
    with story.step("A form with five mistakes is refused, all of them at once"):
        await developer.be_refused()
    with story.step("Register the app, with a logo"):
        app = await developer.register_app()
    shop = Shop(calls, at, story, developer, app["app_id"])
    with story.step("App Overview, still empty"):
        story.check("transactions", (await shop.overview())["total"], 0)
    with story.step("Generate the keys and download them"):
        pair = await developer.generate_keys(app["app_id"])
        file = layout.directory / "demo-keys.env"
        _save(file, pair["downloads"]["env"])
        story.say(f"saved to {file} (also offered as {DOWNLOADS})")
    bought = sample.read((datetime.now(UTC) - timedelta(days=1)).date())
    with story.step(f"Send {len(bought):,} real purchases with the secret key, in batches of 500"):
        await shop.send(bought, pair["secret_key"])
    with story.step("Overview and filters"):
        await shop.check_overview(bought)
    with story.step("CSV in windows of 90 days"):
        await shop.check_csv(bought)
    with story.step("Regenerate with no overlap: both old keys are refused"):
        await _rotate(shop, developer, pair)
    with story.step("What a stranger's consumer saw on Kafka"):
        stranger.tell(story, await stranger.read_all(at.kafka, developer.account_id))
    with story.step("Rebuild a projection while the product runs, and compare it row by row"):
        await _rebuild(story, layout)
        await shop.check_overview(bought)
    await calls.http.aclose()
    return developer


def _save(file: Path, text: str) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as opened:
        opened.write(text)


async def _rotate(shop: Shop, developer: Developer, old: dict[str, str]) -> None:
    new = await developer.regenerate(shop.app_id, old["pair_id"])
    answered = time.perf_counter()
    machine = await service_token(shop)
    for name in ("public_key", "secret_key"):
        if new[name] == old[name]:
            raise Mismatch(f"{name} did not change")
        shop.story.check(f"old {name.replace('_', ' ')}", await shop.verdict(old[name], machine), "ROTATED")
        shop.story.say(f"refused at most {1000 * (time.perf_counter() - answered):.0f} ms after regenerate was answered")
        shop.story.check(f"new {name.replace('_', ' ')}", await shop.verdict(new[name], machine), "VALID")
    await _ingest_refuses(shop, old["secret_key"], answered)


_BOUND_MS = 1_000  # what every verifier promises unless told otherwise


async def _ingest_refuses(shop: Shop, old_key: str, answered: float) -> None:
    """It hears of the rotation over Kafka, so it has its bound for that. What is asked for is not there: nothing is recorded."""
    nothing = f"{shop.at.metrics}/v1/transactions/cdnow-never"
    while True:
        said = await shop.calls("PATCH", nothing, auth=(old_key, ""), json={"status": "succeeded"}, expect=(401, 404))
        took = 1000 * (time.perf_counter() - answered)
        if said.status_code == 401:  # refused
            break
        if took > _BOUND_MS:
            raise Mismatch(f"metrics still takes the old secret key after {took:.0f} ms")
        await asyncio.sleep(0.002)
    shop.story.say(f"the metrics service, which verifies in its own process, refuses the old secret too, {took:.0f} ms after")


async def service_token(shop: Shop) -> str:
    """A token of the machine client that `make up` makes."""
    client = shop.at.service_client
    answer = await shop.calls("POST", f"{shop.at.identity}/v1/service-tokens", auth=(client["id"], client["secret"]), expect=200)
    token: str = answer.json()["access_token"]
    return token


async def _rebuild(story: Story, layout: Layout) -> None:
    operate = (sys.executable, "-m", "stack", "ops", "--dir", str(layout.directory), "metrics")
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *operate, "rebuild", "rollups", "--verify", stdout=pipe, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await process.communicate()
    for line in out.decode().splitlines():
        story.say(line)
    if process.returncode:
        raise Mismatch("the rebuilt projection is not equal to the live one")
