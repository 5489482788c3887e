"""Our relay alone in a process, woken over Valkey as in a worker: `python -m benchmarks.relaying <database> <kafka> <valkey>`."""

import sys

import uvloop
from prometheus_client import CollectorRegistry

from shared.relay.gauges import Gauges
from shared.relay.relay import Relay, RelaySettings, topics_of
from shared.wake import RedisWake

CHANNEL = "bench"


async def main(database_url: str, bootstrap: str, redis_url: str) -> None:
    """Publish until ended."""
    async with RedisWake(redis_url, CHANNEL) as wake:
        await Relay(RelaySettings(database_url, bootstrap, topics_of("registry")), wake, Gauges(CollectorRegistry())).run()


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
