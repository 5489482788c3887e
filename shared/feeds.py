"""The feeds of other services, for the topics that this one listens to: what Kafka no longer holds comes from there."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Final

import httpx2 as httpx
from latchkey.feed import Feed, ServiceToken

from shared.settings import ServiceSettings

_SECONDS: Final = 10.0


def publisher_of(topic: str) -> str:
    """The service that a topic belongs to: the first word of its name."""
    return topic.partition(".")[0]


@asynccontextmanager
async def opened_feeds(settings: ServiceSettings, topics: Iterable[str]) -> AsyncIterator[Mapping[str, Feed]]:
    """The feed of each topic's publisher; none where this service is not told the address, or has no client to sign in with."""
    urls = {"identity": settings.identity_url, "registry": settings.registry_url, "keys": settings.keys_url}
    async with httpx.AsyncClient(timeout=_SECONDS, trust_env=False) as http:
        if not settings.feed_client_id or not settings.feed_client_secret:
            yield {}
            return
        token = ServiceToken(http, settings.identity_url, settings.feed_client_id, settings.feed_client_secret)
        feeds = {service: Feed(http, url, token) for service, url in urls.items() if url}
        yield {topic: feeds[publisher_of(topic)] for topic in topics if publisher_of(topic) in feeds}
