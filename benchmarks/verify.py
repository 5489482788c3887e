"""Verify over HTTP, with caller authentication, scopes and use counts, as a share of a raw ASGI hello on the same server."""

import json
from dataclasses import dataclass
from typing import Any

import psutil
from latchkey.keyformat import Environment, Kind, make_key

from benchmarks.load import CONNECTIONS, Request, load
from benchmarks.measure import ROUNDS, Figure, figure, interleaved
from benchmarks.openloop import open_loop
from benchmarks.serving import Running, hello, until_answers, with_keys
from tests.product import Product

MANY = 512


@dataclass(frozen=True)
class _Asked:
    """About a key that is known, mistyped, or nobody's."""

    known: Request
    mistyped: Request
    unknown: Request


async def run(product: Product) -> list[Figure]:
    """The share, the CPU of both, and what an unknown key costs."""
    async with with_keys(product) as running:
        asked = await _asked(running)
        with running.alone("keys-main") as process:
            shares = await _beside_hello(process, asked.known)
            calm = [await open_loop(asked.known, shares[0].ours / 2) for _ in range(ROUNDS)]
            crowded = await load(asked.known, process)
            cost = await _costs(process, asked.mistyped, asked.known)
            # Whoever asks for an unknown key waits for the next look at the log: it takes many to give the process as much to do.
            many = await _costs(process, asked.unknown, asked.known, MANY)
    at_most: dict[str, Any] = {"peer": "a known one", "judged": "ratio", "goal": 1.0, "smaller_is_better": True}
    return [
        *shares,
        figure("verify", "p99 at half load", "ms", calm, goal=1.0, smaller_is_better=True),
        figure("verify", "p99, 32 connections", "ms", [crowded.p99_ms], goal=5.0, smaller_is_better=True),
        figure("verify", "mistyped key, CPU", "µs", *cost, **at_most),
        figure("verify", f"unknown key, CPU, {MANY} connections", "µs", *many, **at_most),
    ]


async def _asked(running: Running) -> _Asked:
    secret = running.pair["secret_key"]
    headers = {"Authorization": f"Bearer {await running.developer.machine_token()}", "Content-Type": "application/json"}
    nobodys = make_key(Kind.SECRET, Environment.TEST, bytes(32))
    url = running.product.at["keys"] + "/v1/keys/verify"
    requests = [Request(url, "POST", headers, json.dumps({"key": key})) for key in (secret, secret[:-1] + "-", nobodys)]
    return _Asked(*requests)


async def _beside_hello(keys: psutil.Process, known: Request) -> list[Figure]:
    cpu: tuple[list[float], list[float]] = [], []
    with hello() as (url, server):
        await until_answers(url)
        plain = Request(url, "POST", {"Content-Type": "application/json"}, known.body)

        async def rate(request: Request, process: psutil.Process, into: list[float]) -> float:
            loaded = await load(request, process)
            into.append(loaded.cpu_us)
            return loaded.rate

        rates = await interleaved(lambda: rate(known, keys, cpu[0]), lambda: rate(plain, server, cpu[1]))
    bounds: dict[str, Any] = {"peer": "raw ASGI hello", "judged": "ratio", "floor": 0.60, "goal": 0.85, "at_the_limit": True}
    return [
        figure("verify", "over HTTP, 32 connections", "req/s", *rates, **bounds),
        figure("verify", "CPU of the process", "µs", *cpu, peer="raw ASGI hello"),
    ]


async def _costs(process: psutil.Process, one: Request, other: Request, connections: int = CONNECTIONS) -> tuple[list[float], list[float]]:
    async def cost(request: Request) -> float:
        return (await load(request, process, connections=connections)).cpu_us

    return await interleaved(lambda: cost(one), lambda: cost(other), rounds=min(3, ROUNDS))
