"""The feed's client: paging to the end, a token fetched once, and every kind of no answer."""

import json
from typing import Any

import httpx2
import pytest
from latchkey.consumer.faults import is_transient
from latchkey.feed import Feed, FeedAway, ServiceToken

from tests.client.publisher import envelope

LOG = [json.loads(envelope("app_1" if position % 2 else "app_2", (position + 1) // 2, position=position)) for position in range(1, 8)]


class Service:
    """identity and registry behind one transport."""

    def __init__(self) -> None:
        self.tokens = 0
        self.asked: list[dict[str, str]] = []
        self.answer: Any = None

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        if request.url.path == "/v1/service-tokens":
            assert request.headers["authorization"].startswith("Basic ")
            self.tokens += 1
            return httpx2.Response(200, json={"access_token": f"t{self.tokens}", "expires_in": 900})
        assert request.url.path == "/v1/feed"
        assert request.headers["authorization"] == "Bearer t1"
        if self.answer is not None:
            if isinstance(self.answer, Exception):
                raise self.answer
            return self.answer  # type: ignore[no-any-return]  # a response that the test prepared
        asked = dict(request.url.params)
        self.asked.append(asked)
        after, stream = int(asked["after"]), asked.get("stream")
        found = [event for event in LOG if int(event["globalposition"]) > after and stream in {None, event["subject"]}][:3]
        following = int(found[-1]["globalposition"]) if found else 7
        return httpx2.Response(200, json={"items": found, "next": following, "end": 7})


def feed(service: Service) -> Feed:
    http = httpx2.AsyncClient(transport=httpx2.MockTransport(service))
    return Feed(http, "http://registry/", ServiceToken(http, "http://identity/", "svc", "hush"))


async def test_every_event_is_read_page_by_page_with_one_token() -> None:
    service = Service()
    positions = [event.globalposition async for event in feed(service).events()]
    assert positions == list(range(1, 8))
    assert service.tokens == 1
    assert [asked["after"] for asked in service.asked] == ["0", "3", "6"]


async def test_one_stream_is_asked_for_by_its_id() -> None:
    events = [event async for event in feed(Service()).events(after=2, stream="app_1")]
    assert [(event.subject, event.streamversion) for event in events] == [("app_1", 2), ("app_1", 3), ("app_1", 4)]


@pytest.mark.parametrize(
    "answer",
    [
        httpx2.Response(503, request=httpx2.Request("GET", "http://registry")),
        httpx2.Response(200, content=b"<html>", request=httpx2.Request("GET", "http://registry")),
        httpx2.Response(200, json={"items": []}, request=httpx2.Request("GET", "http://registry")),
        httpx2.Response(200, json=[], request=httpx2.Request("GET", "http://registry")),
        httpx2.ConnectError("refused"),
    ],
    ids=["503", "no JSON", "no page", "no object", "refused"],
)
async def test_no_answer_is_one_to_wait_for(answer: Any) -> None:
    service = Service()
    service.answer = answer
    with pytest.raises(FeedAway) as away:
        await feed(service).page(after=0)
    assert is_transient(away.value)
