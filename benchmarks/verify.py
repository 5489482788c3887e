"""Verify over HTTP, with caller authentication, scopes and use counts, as a share of a raw ASGI hello on the same server."""

import json
import statistics

from latchkey.keyformat import Environment, Kind, make_key

from benchmarks.load import Request, load
from benchmarks.measure import ROUNDS, Figure, figure, interleaved
from benchmarks.openloop import open_loop
from benchmarks.serving import hello, product_with_keys, until_answers
from stack.testing import RealStack


async def run(stack: RealStack) -> list[Figure]:
    """The share, the CPU of both, and what an unknown key costs."""
    async with product_with_keys(stack) as running:
        with hello() as (hello_url, hello_server):
            await until_answers(hello_url)
            token = await running.developer.machine_token()
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            keys, url = running.server("keys-main"), running.product.at["keys"] + "/v1/keys/verify"
            known = Request(url, "POST", headers, json.dumps({"key": running.pair["secret_key"]}))
            mistyped = Request(url, "POST", headers, json.dumps({"key": running.pair["secret_key"][:-1] + "-"}))
            unknown = Request(url, "POST", headers, json.dumps({"key": make_key(Kind.SECRET, Environment.TEST, bytes(32))}))
            plain = Request(hello_url, "POST", {"Content-Type": "application/json"}, known.body)

            cpu: tuple[list[float], list[float]] = [], []

            async def ours() -> float:
                loaded = await load(known, keys)
                cpu[0].append(loaded.cpu_us)
                return loaded.rate

            async def theirs() -> float:
                loaded = await load(plain, hello_server)
                cpu[1].append(loaded.cpu_us)
                return loaded.rate

            rates = await interleaved(ours, theirs)
            half = statistics.median(rates[0]) / 2
            calm = [await open_loop(known, half) for _ in range(ROUNDS)]
            crowded = await load(known, keys)
            others = [await load(mistyped, keys), await load(unknown, keys)]
    return [
        figure(
            "verify",
            "over HTTP, 32 connections",
            "req/s",
            *rates,
            peer="raw ASGI hello",
            judged="ratio",
            floor=0.60,
            goal=0.85,
            at_the_limit=True,
        ),
        figure("verify", "CPU of the process", "µs", *cpu, peer="raw ASGI hello"),
        figure("verify", "p99 at half load", "ms", calm, goal=1.0, smaller_is_better=True),
        figure("verify", "p99, 32 connections", "ms", [crowded.p99_ms], goal=5.0, smaller_is_better=True),
        figure("verify", "mistyped key, CPU", "µs", [others[0].cpu_us], cpu[1], peer="raw ASGI hello"),
        figure("verify", "unknown key, CPU", "µs", [others[1].cpu_us], cpu[1], peer="raw ASGI hello"),
    ]
