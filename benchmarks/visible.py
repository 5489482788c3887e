"""Command → visible in another service: from registry's answer until the app is in the view that keys keeps of it."""

import asyncio
import time

import asyncpg

from benchmarks.measure import QUICK, Figure, figure
from benchmarks.serving import with_keys
from tests.product import Product

TIMES, WARM_UP = 30 if QUICK else 300, 20
_LOOK_SECONDS = 0.0005
_GIVE_UP = 10.0


async def run(product: Product) -> list[Figure]:
    """Median and 99th percentile, one command at a time."""
    async with with_keys(product) as running:
        keys = await asyncpg.connect(running.product.services["keys"].database.read)
        took = []
        for _ in range(WARM_UP + TIMES):
            app = await running.developer.add_app()
            answered = time.perf_counter()
            while not await keys.fetchval("SELECT EXISTS (SELECT FROM apps WHERE app_id = $1)", app["app_id"]):
                if time.perf_counter() - answered > _GIVE_UP:
                    raise TimeoutError
                await asyncio.sleep(_LOOK_SECONDS)
            took.append(1000 * (time.perf_counter() - answered))
        await keys.close()
    took = sorted(took[WARM_UP:])
    return [
        figure("visible", "command → view of another service, p50", "ms", [took[TIMES // 2]], goal=15, smaller_is_better=True),
        figure(
            "visible", "command → view of another service, p99", "ms", [took[int(0.99 * TIMES)]], floor=150, goal=60, smaller_is_better=True
        ),
    ]
