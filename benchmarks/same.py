"""A/A: the smallest server beside itself. Its spread is the smallest difference that a run on this machine may claim."""

from benchmarks.load import Request, load
from benchmarks.measure import Figure, figure, interleaved
from benchmarks.serving import hello, until_answers
from stack.testing import RealStack


async def run(_: RealStack) -> list[Figure]:
    """One line, whose ratio would be 1 on a machine of our own."""
    with hello() as (url, server):
        await until_answers(url)

        async def rate() -> float:
            return (await load(Request(url), server)).rate

        rates = await interleaved(rate, rate)
    return [figure("A/A", "raw ASGI hello", "req/s", *rates, peer="the same", judged="ratio")]
