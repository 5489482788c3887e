"""Local verification: what a consumer's own process pays for a key, with no call to Latchkey."""

import time
from collections.abc import Callable
from hashlib import sha256

from latchkey.judging import Code
from latchkey.verifier import LocalVerifier

from benchmarks.measure import Figure, figure, interleaved
from benchmarks.serving import with_keys
from tests.product import Product

CHECKS = 200_000


async def run(product: Product) -> list[Figure]:
    """Checks a second on one core."""
    async with with_keys(product) as running:
        verifier = LocalVerifier(product.stack.bootstrap, bound_ms=1000)
        await verifier.start()
        if not await verifier.ready(60):
            raise TimeoutError("the verifier topic could not be read")
        key = running.pair["secret_key"]
        if (await verifier.check_fresh(key)).code is not Code.VALID:
            raise RuntimeError("the key is not known")

        async def ours() -> float:
            return _rate(verifier.check, key)

        async def least() -> float:
            return _rate(lambda text: held.get(sha256(text.encode()).digest()), key)

        held = {sha256(key.encode()).digest(): key}
        running.aside()
        rates = await interleaved(ours, least)
        await verifier.stop()
    return [
        figure(
            "local verify", "one core", "checks/s", *rates, peer="SHA-256 and a dict alone", floor=150_000, goal=400_000, at_the_limit=True
        )
    ]


def _rate(check: Callable[[str], object], key: str) -> float:
    """Calls a second of this thread's processor time, which a busy machine gives it later but not more of."""
    started = time.thread_time()
    for _ in range(CHECKS):
        check(key)
    return CHECKS / (time.thread_time() - started)
