"""A second start of everything: until all processes are ready, and what each Python process then holds in memory."""

import asyncio
import os
import time

import psutil

from benchmarks.measure import Figure, figure
from stack.testing import RealStack
from tests.product import Product, running

REST_SECONDS = 3.0


async def run(stack: RealStack) -> list[Figure]:
    """Seconds, with the migrations done by a first start, and the largest process at rest."""
    pinned = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    try:
        return await _measured(stack)
    finally:
        os.sched_setaffinity(0, pinned)


async def _measured(stack: RealStack) -> list[Figure]:
    with running(stack):
        pass
    stack.stop()
    began = time.perf_counter()
    stack.start()
    with running(stack) as product:
        took = time.perf_counter() - began
        await asyncio.sleep(REST_SECONDS)
        sizes = _megabytes(product)
    largest = max(sizes, key=lambda name: sizes[name])
    return [
        figure("start", "everything ready, second time", "s", [took], floor=30, goal=8, smaller_is_better=True),
        figure("start", f"largest process ({largest})", "MB", [sizes[largest]], goal=120, smaller_is_better=True),
        figure("start", f"all {len(sizes)} processes together", "MB", [sum(sizes.values())]),
    ]


def _megabytes(product: Product) -> dict[str, float]:
    """What is resident and not shared with another process."""
    children = {**{name: process.child for name, process in product.processes.items()}, "portal": product.portal.child}
    return {name: psutil.Process(child.pid).memory_full_info().uss / 1e6 for name, child in children.items()}
