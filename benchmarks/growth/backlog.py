"""Relaying a backlog of 10,000 to 1,000,000 events: what one costs, and what the relay needs of memory."""

import resource

from benchmarks.growth.curves import Curve
from benchmarks.measure import QUICK
from benchmarks.relay import relayed
from benchmarks.seed import seed
from stack.testing import RealStack

SIZES = (1_000, 10_000) if QUICK else (10_000, 100_000, 1_000_000)


async def run(stack: RealStack) -> Curve:
    """Microseconds of wall time an event, and by how many megabytes this process grew while it relayed all of them."""
    lines: dict[str, list[float]] = {"an event, µs": [], "more memory, MB": []}
    for size in SIZES:
        database = stack.fresh_database("bench")
        await seed(database, size)
        before = _peak_mb()
        lines["an event, µs"].append(1e6 / await relayed(stack, database, size))
        lines["more memory, MB"].append(max(_peak_mb() - before, 0.1))
        stack.drop(database)
    return Curve("backlog", "A relay with much to do", "events waiting", "µs, MB", SIZES, lines)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
