"""Revoke → refused: from the answer of the revoking command to the first refusal, at the HTTP verifier and in another process."""

import asyncio
import time
from collections.abc import Awaitable, Callable

from latchkey.judging import Code
from latchkey.verifier import LocalVerifier

from benchmarks.measure import Figure, figure
from benchmarks.serving import Running, product_with_keys
from stack.testing import RealStack

TIMES, WARM_UP = 200, 5
_GIVE_UP = 5.0


async def run(stack: RealStack) -> list[Figure]:
    """Median and 99th percentile of both."""
    async with product_with_keys(stack) as running:
        verifier = LocalVerifier(stack.bootstrap, bound_ms=1000)
        await verifier.start()
        if not await verifier.ready(60):
            raise TimeoutError("the verifier topic could not be read")
        token = await running.developer.machine_token()
        over_http, locally = [], []
        for _ in range(WARM_UP + TIMES):
            key, answered = await revoked(running, verifier)

            async def asked(key: str = key) -> bool:
                return await _verdict(running, token, key) == "REVOKED"

            async def known(key: str = key) -> bool:
                return verifier.check(key).code is Code.REVOKED

            took = await asyncio.gather(_until(asked, answered), _until(known, answered))
            over_http.append(took[0])
            locally.append(took[1])
        await verifier.stop()
    return [*_two("HTTP verifier", over_http[WARM_UP:]), *_two("another process", locally[WARM_UP:])]


def _two(where: str, took: list[float]) -> list[Figure]:
    took = sorted(took)
    return [
        figure("revoke", f"→ {where} refuses, p50", "ms", [took[len(took) // 2]], goal=5, smaller_is_better=True),
        figure("revoke", f"→ {where} refuses, p99", "ms", [took[int(0.99 * len(took))]], floor=250, goal=25, smaller_is_better=True),
    ]


async def _until(refused: Callable[[], Awaitable[bool]], answered: float) -> float:
    while not await refused():
        if time.perf_counter() - answered > _GIVE_UP:
            raise TimeoutError
        await asyncio.sleep(0.0005)
    return 1000 * (time.perf_counter() - answered)


async def revoked(running: Running, *verifiers: LocalVerifier) -> tuple[str, float]:
    """A key that all of these knew and that was revoked, and the moment (`perf_counter`) at which that was answered."""
    developer = running.developer
    app = await developer.add_app()
    await developer.heard("keys", f"/v1/apps/{app['app_id']}/keys", _GIVE_UP)
    pair = await developer.generate(app["app_id"])
    key: str = pair["secret_key"]
    await asyncio.gather(*(verifier.check_fresh(key) for verifier in verifiers))
    path = f"/v1/apps/{app['app_id']}/keys/{pair['pair_id']}/revoke"
    answer = await developer.call("POST", "keys", path, json={"reason": "bench"})
    answered = time.perf_counter()
    answer.raise_for_status()
    return key, answered


async def _verdict(running: Running, token: str, key: str) -> str:
    answer = await running.developer.http.post(
        f"{running.product.at['keys']}/v1/keys/verify", json={"key": key}, headers={"Authorization": f"Bearer {token}"}
    )
    code: str = answer.json()["code"]
    return code
