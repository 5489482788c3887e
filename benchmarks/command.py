"""A command over HTTP, durable with its inline views, as a share of a FastAPI no-op that authenticates and validates the same request."""

import json

from benchmarks.load import Request, load
from benchmarks.measure import Figure, figure, interleaved
from benchmarks.serving import spawned, until_answers, with_keys
from stack.ports import free_ports
from tests.people import FORM
from tests.product import Product


async def run(product: Product) -> list[Figure]:
    """The share, and the CPU of both."""
    async with with_keys(product) as running:
        port = free_ports(1)[0] - 2000
        environment = running.product.services["registry"].environment() | {"REGISTRY_PORT": str(port)}
        with spawned("benchmarks.noop", environment=environment) as bare:
            await until_answers(f"http://127.0.0.1:{port}/")
            registry = running.server("registry-main")
            headers = {"Authorization": f"Bearer {running.developer.token}", "Content-Type": "application/json"}
            body = json.dumps(FORM | {"name": "Shop {n}"})
            full = Request(running.product.at["registry"] + "/v1/apps", "POST", headers, body)
            nothing = Request(f"http://127.0.0.1:{port}/v1/apps", "POST", headers, body)

            async def ours() -> float:
                return (await load(full, registry)).rate

            async def theirs() -> float:
                return (await load(nothing, bare)).rate

            # What the others make of an app that was registered takes five times what registering it does, and the core is the same.
            running.product.freeze("registry-worker")
            rates = await interleaved(ours, theirs)
            cost = [(await load(full, registry)).cpu_us], [(await load(nothing, bare)).cpu_us]
            running.product.thaw("registry-worker")
            whole = await interleaved(ours, theirs)
    return [
        figure(
            "command",
            "register an app, relay paused",
            "req/s",
            *rates,
            peer="FastAPI no-op",
            judged="ratio",
            floor=0.40,
            goal=0.70,
            at_the_limit=True,
        ),
        figure("command", "CPU of the process", "µs", *cost, peer="FastAPI no-op"),
        figure("command", "with everything running", "req/s", *whole, peer="FastAPI no-op", judged="ratio"),
    ]
