"""Local verification: what a consumer's own process pays for a key, with no call to Latchkey."""

import time

from latchkey.judging import Code
from latchkey.verifier import LocalVerifier

from benchmarks.measure import Figure, figure, interleaved
from benchmarks.serving import product_with_keys
from stack.testing import RealStack

CHECKS = 200_000


async def run(stack: RealStack) -> list[Figure]:
    """Checks a second on one core."""
    async with product_with_keys(stack) as running:
        verifier = LocalVerifier(stack.bootstrap, bound_ms=1000)
        await verifier.start()
        if not await verifier.ready(60):
            raise TimeoutError("the verifier topic could not be read")
        key = running.pair["secret_key"]
        if (await verifier.check_fresh(key)).code is not Code.VALID:
            raise RuntimeError("the key is not known")

        async def ours() -> float:
            started = time.perf_counter()
            for _ in range(CHECKS):
                verifier.check(key)
            return CHECKS / (time.perf_counter() - started)

        rates = await interleaved(ours)
        await verifier.stop()
    return [figure("local verify", "one core", "checks/s", *rates, floor=150_000, goal=400_000)]
