"""Half an hour of everything at once: what each process holds in memory, minute by minute."""

import asyncio
import itertools
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx2
import psutil

from benchmarks.growth.curves import Curve
from benchmarks.measure import QUICK
from benchmarks.serving import Running, product_with_keys
from stack.testing import RealStack
from tests.people import transaction

MINUTES = 1 if QUICK else 30
MOST_REFUSED = 0.05
STEP_SECONDS, WARM_UP_STEPS = 30, 2
_SIGNED_IN_SECONDS = 200  # a token lasts five minutes


async def run(stack: RealStack) -> Curve:
    """Megabytes of resident memory of each process, every half minute after the first one."""
    async with product_with_keys(stack) as running:
        processes = {name: psutil.Process(process.child.pid) for name, process in running.product.processes.items()}
        processes["portal"] = psutil.Process(running.product.portal.child.pid)
        tally = _Tally()
        load = [asyncio.create_task(_again(every, work, tally)) for every, work in await _mixed(running)]
        lines: dict[str, list[float]] = {name: [] for name in processes}
        for step in range(WARM_UP_STEPS + 60 * MINUTES // STEP_SECONDS):
            done, _ = await asyncio.wait(load, timeout=STEP_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()  # none of them ends by itself, so this raises what ended it
            if step >= WARM_UP_STEPS:
                for name, process in processes.items():
                    lines[name].append(process.memory_info().rss / 1e6)
        for task in load:
            task.cancel()
        await asyncio.gather(*load, return_exceptions=True)
    if tally.refused > MOST_REFUSED * tally.done:
        raise RuntimeError(f"{tally.refused} of {tally.done} calls were refused: that is no load")
    minutes = [1 + (step * STEP_SECONDS) // 60 for step in range(len(lines["portal"]))]
    return Curve("memory", "Under a mixed load", "minutes", "MB resident", minutes, lines, plain=True)


async def _mixed(running: Running) -> list[tuple[float, Callable[[], Awaitable[object]]]]:
    """What goes on, each with the seconds from one to the next."""
    person, product, key = running.developer, running.product, running.pair["secret_key"]
    serial = itertools.count()
    at = f"/v1/apps/{running.app['app_id']}"

    async def verify() -> None:
        (await person.http.post(f"{product.at['keys']}/v1/keys/verify", json={"key": key}, headers=machine)).raise_for_status()

    async def unknown() -> None:
        await person.http.post(f"{product.at['keys']}/v1/keys/verify", json={"key": secrets.token_hex(20)}, headers=machine)

    async def sell() -> None:
        (await person.record(key, *(transaction(next(serial)) for _ in range(50)))).raise_for_status()

    async def rotate() -> None:
        app = await person.add_app()
        path = f"/v1/apps/{app['app_id']}/keys"
        await person.heard("keys", path, 30)
        pair = await person.generate(app["app_id"])
        tag = (await person.call("GET", "keys", f"{path}/{pair['pair_id']}")).headers["ETag"]
        (await person.call("POST", "keys", f"{path}/{pair['pair_id']}/regenerate", headers={"If-Match": tag})).raise_for_status()

    async def look() -> None:
        for path in (f"{at}/overview", f"{at}/timeseries", f"{at}/transactions"):
            (await person.call("GET", "metrics", path)).raise_for_status()
        (await person.call("GET", "registry", "/v1/apps")).raise_for_status()
        (await person.http.get(f"{product.pages}/sign-in")).raise_for_status()

    async def sign_in() -> None:
        await person.sign_in()
        machine["Authorization"] = f"Bearer {await person.machine_token()}"

    machine: dict[str, str] = {}
    await sign_in()
    return [(_SIGNED_IN_SECONDS, sign_in), (0.02, verify), (0.1, unknown), (0.25, sell), (1.0, rotate), (0.5, look)]


@dataclass
class _Tally:
    done: int = 0
    refused: int = 0


async def _again(every: float, work: Callable[[], Awaitable[object]], tally: _Tally) -> None:
    while True:
        try:
            await work()
        except (httpx2.HTTPError, AssertionError):  # a busy machine makes a service say "not now", which is no reason to end
            tally.refused += 1
        tally.done += 1
        await asyncio.sleep(every)
