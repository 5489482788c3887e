"""A service's own log of public events over HTTP, for what Kafka no longer holds (extra `latchkey[feed]`).

Given to a `Consumer` as its `source` it fills gaps, and what retention took before the consumer first came, so that a new consumer
joins the topic with nothing missing and nothing twice.
"""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

import httpx2
from pydantic_core import to_json

from latchkey.consumer.backlog import PAGE, FeedPage, whole
from latchkey.envelope import Envelope, decode

_TOKEN_MARGIN_SECONDS: Final = 60.0

TokenSource = Callable[[], Awaitable[str]]


class FeedAway(ConnectionError):
    """The feed did not answer, or not with events: it may later, so a consumer waits."""


class ServiceToken:
    """Fetches a service token with a service client's id and secret, and again shortly before it ends."""

    def __init__(self, http: httpx2.AsyncClient, identity_url: str, client_id: str, client_secret: str) -> None:
        self._http, self._url = http, identity_url.rstrip("/") + "/v1/service-tokens"
        self._client = (client_id, client_secret)
        self._token, self._good_until = "", 0.0

    async def __call__(self) -> str:
        """A token that is good for at least a minute. Raises `FeedAway`."""
        if time.monotonic() >= self._good_until:
            document = await _answer(self._http.post(self._url, auth=self._client))
            self._token = str(document["access_token"])
            self._good_until = time.monotonic() + float(document["expires_in"]) - _TOKEN_MARGIN_SECONDS
        return self._token


class Feed:
    """The feed of one service. `token` needs the scope `feed:<service>`."""

    def __init__(self, http: httpx2.AsyncClient, service_url: str, token: TokenSource) -> None:
        self._http, self._url, self._token = http, service_url.rstrip("/") + "/v1/feed", token

    async def page(self, *, after: int, stream: str | None = None, limit: int = PAGE) -> FeedPage:
        """Up to `limit` public events behind position `after`, of one stream when it is named. Raises `FeedAway`."""
        asked: dict[str, str | int] = {"after": after, "limit": limit}
        if stream is not None:
            asked["stream"] = stream
        bearer = {"Authorization": f"Bearer {await self._token()}"}
        document = await _answer(self._http.get(self._url, params=asked, headers=bearer))
        try:
            return FeedPage([to_json(item) for item in document["items"]], int(document["next"]), int(document["end"]))
        except (KeyError, TypeError, ValueError) as error:
            raise FeedAway(f"the answer is no page: {type(error).__name__}") from error

    async def events(self, *, after: int = 0, stream: str | None = None) -> AsyncIterator[Envelope]:
        """Every public event behind `after`, to where the log ended when this was called.

        Raises `FeedAway`, and what `latchkey.envelope.decode` raises.
        """
        async for page in whole(self, after=after, stream=stream):
            for raw in page.events:
                yield decode(raw)


async def _answer(request: Awaitable[httpx2.Response]) -> dict[str, Any]:
    try:
        response = await request
        response.raise_for_status()
        document = response.json()
    except (httpx2.HTTPError, ValueError) as error:
        raise FeedAway(f"{type(error).__name__}: {error}") from error
    if not isinstance(document, dict):
        raise FeedAway("the answer is no object")
    return document
