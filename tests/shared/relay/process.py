"""A relay of the toy service as a process of its own, so that a test can kill or freeze it."""

import asyncio
import logging
import sys

from latchkey.topics import BY_NAME, REGISTRY_APP_EVENTS
from prometheus_client import CollectorRegistry

from shared.relay.gauges import Gauges
from shared.relay.relay import Relay, RelaySettings
from shared.wake import LocalWake
from tests.shared.toy import STATE_TOPIC


async def main(database_url: str, bootstrap: str) -> None:
    settings = RelaySettings(database_url, bootstrap, [BY_NAME[REGISTRY_APP_EVENTS], BY_NAME[STATE_TOPIC]])
    await Relay(settings, LocalWake(), Gauges(CollectorRegistry())).run()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(asctime)s %(message)s")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    asyncio.run(main(*sys.argv[1:]))
