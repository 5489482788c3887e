"""Verifying among 1,000 to 1,000,000 keys: a key in use, one that is asked for the first time, and one that nobody has."""

import time
from collections.abc import Callable, Sequence

from latchkey.directory import Directory
from latchkey.keyformat import Kind

from benchmarks.growth.curves import Curve
from benchmarks.pure import key, ring
from stack.testing import RealStack

SIZES = (1_000, 10_000, 100_000, 1_000_000)
ASKED, ROUNDS = 2_000, 7


async def run(_: RealStack) -> Curve:
    """Microseconds of CPU for one look-up, the smallest of several rounds."""
    directory, rings = Directory(), 0
    lines: dict[str, list[float]] = {"in use": [], "asked for the first time": [], "unknown": []}
    for size in SIZES:
        for number in range(rings, size // 2):
            directory.put(ring(number))
        rings = size // 2
        known = [key(Kind.SECRET, number * (rings // min(rings, ASKED))) for number in range(min(rings, ASKED) // 2)]
        unknown = [key(Kind.SECRET, -1 - number) for number in range(ASKED)]
        lines["asked for the first time"].append(_micros(directory, known, 1))
        lines["in use"].append(_micros(directory, known))
        lines["unknown"].append(_micros(directory, unknown))
    return Curve("keys", "One look-up", "keys held", "µs of CPU", SIZES, lines)


def _micros(directory: Directory, texts: Sequence[str], rounds: int = ROUNDS) -> float:
    look_up: Callable[[str], object] = directory.look_up
    took = []
    for _ in range(rounds):
        started = time.process_time()
        for text in texts:
            look_up(text)
        took.append(1e6 * (time.process_time() - started) / len(texts))
    return min(took)
