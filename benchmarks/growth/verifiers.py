"""One to fifty verifiers on the feed of keys: how late the last of them refuses a revoked key, and what one costs while nothing happens."""

import asyncio
import os
import time
from collections.abc import Sequence

from latchkey.judging import Code
from latchkey.verifier import LocalVerifier

from benchmarks.growth.curves import Curve
from benchmarks.measure import QUICK
from benchmarks.revoke import revoked
from benchmarks.serving import Running, product_with_keys
from stack.testing import RealStack

SIZES = (1, 5) if QUICK else (1, 5, 20, 50)
TIMES, IDLE_SECONDS, GIVE_UP_SECONDS = 40, 5, 5


async def run(stack: RealStack) -> Curve:
    """Milliseconds from the answer of a revocation to the last refusal, and thousandths of a core that one verifier takes at rest.

    All of them are in this process and share its core, so the lateness of many is more than of as many processes on cores of their own.
    """
    lines: dict[str, list[float]] = {"the last refuses, p50, ms": [], "the last refuses, worst, ms": [], "at rest, ‰ of a core each": []}
    started: list[LocalVerifier] = []
    async with product_with_keys(stack) as running:
        for size in SIZES:
            while len(started) < size:
                started.append(LocalVerifier(stack.bootstrap, bound_ms=1000))
                await started[-1].start()
            if not all(await asyncio.gather(*(verifier.ready(60) for verifier in started))):
                raise TimeoutError("the verifier topic could not be read")
            await running.developer.sign_in()
            late = sorted([await _lateness(running, started) for _ in range(TIMES)])
            before = sum(os.times()[:2])
            await asyncio.sleep(IDLE_SECONDS)
            rest = 1000 * (sum(os.times()[:2]) - before) / IDLE_SECONDS / size
            for line, value in zip(lines.values(), (late[TIMES // 2], late[-1], rest), strict=True):
                line.append(value)
        await asyncio.gather(*(verifier.stop() for verifier in started))
    return Curve("verifiers", "Verifiers on one feed", "verifiers", "ms, ‰", SIZES, lines)


async def _lateness(running: Running, verifiers: Sequence[LocalVerifier]) -> float:
    key, answered = await revoked(running, *verifiers)
    while any(verifier.check(key).code is not Code.REVOKED for verifier in verifiers):
        if time.perf_counter() - answered > GIVE_UP_SECONDS:
            raise TimeoutError
        await asyncio.sleep(0.0005)
    return 1000 * (time.perf_counter() - answered)
