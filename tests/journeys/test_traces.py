"""One trace from a page of the portal through HTTP, the event and Kafka to the consumer, and nothing in it that is nobody's business."""

import asyncio
import base64
import secrets
import time
from collections.abc import AsyncIterator

import httpx2
import pytest

from portal.session import COOKIE, Session, SessionSeal, Tokens
from stack.credentials import credential
from tests.journeys.collector import Collector, collecting
from tests.people import Developer
from tests.product import Product
from tests.shared.until import until

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300)]
TRACED = ("registry-main", "registry-worker", "keys-worker")
KEYS_OF_ATTRIBUTES = {
    "http.request.method", "http.route", "http.response.status_code", "latchkey.code", "messaging.system", "messaging.operation.name",
    "messaging.message.id",
}  # fmt: skip


@pytest.fixture
async def collector(product: Product) -> AsyncIterator[Collector]:
    """A collector to which the portal, registry and the worker of keys send; they do not any more afterwards."""
    everybody = [*(product.processes[name] for name in TRACED), product.portal]
    told = [product.services["registry"].always, product.services["keys"].always, product.portal.always]

    def again() -> None:
        for process in everybody:
            process.stop()
            process.start()

    before = [dict(one) for one in told]
    async with collecting() as made:
        for one in told:
            one.update(OTEL_EXPORTER_OTLP_ENDPOINT=made.endpoint, OTEL_BSP_SCHEDULE_DELAY="200")
        await asyncio.to_thread(again)
        yield made
        for one, was in zip(told, before, strict=True):
            one.clear()
            one.update(was)
        await asyncio.to_thread(again)


async def test_a_press_in_the_portal_is_followed_to_the_consumer(product: Product, collector: Collector, http: httpx2.AsyncClient) -> None:
    developer = Developer(product, http)
    await developer.register()
    assert (await developer.sign_in()).status_code == 201
    [sold] = (await developer.call("GET", "registry", "/v1/catalog")).json()["items"]
    session = Session(tokens=Tokens(developer.token, "refresh", time.time() + 240, "ses_1", developer.account_id), email=developer.email)
    cookie = SessionSeal([base64.b64decode(credential(product.layout, "portal.session_key"))]).seal(session)
    trace, pressed = secrets.token_hex(16), secrets.token_hex(8)
    headers = {"cookie": f"{COOKIE}={cookie}", "origin": product.pages, "traceparent": f"00-{trace}-{pressed}-01"}
    form = {"csrf": session.csrf, "product_id": sold["product_id"]}
    answer = await http.post(f"{product.pages}/applications/subscribe?hint=hunter2", data=form, headers=headers)
    assert answer.status_code == 303, answer.text
    page = ("latchkey-portal-main", "POST /applications/subscribe")
    command = ("latchkey-registry-main", "POST /v1/subscriptions")
    published = ("latchkey-registry-worker", "publish registry.ServiceSubscribed.v1")
    consumed = ("latchkey-keys-worker", "process registry.ServiceSubscribed.v1")

    async def arrived() -> bool:
        return {page, command, published, consumed} <= set(collector.of(trace))

    await until(arrived, 60)
    spans = collector.of(trace)
    assert spans[page].span.parent_span_id.hex() == pressed
    assert spans[command].span.parent_span_id == spans[page].span.span_id
    assert spans[published].span.parent_span_id == spans[consumed].span.parent_span_id == spans[command].span.span_id
    assert spans[command].told["http.response.status_code"] == "201"
    assert {name for kept in spans.values() for name in kept.told} <= KEYS_OF_ATTRIBUTES
    sent = b"".join(collector.bodies)
    private = [developer.email, developer.password, developer.token, session.csrf, cookie, "hunter2", "127.0.0.1", "python-httpx"]
    assert [text for text in private if text.encode() in sent] == []


async def test_a_trace_that_nobody_samples_leaves_no_span(product: Product, collector: Collector, http: httpx2.AsyncClient) -> None:
    silent, told = secrets.token_hex(16), secrets.token_hex(16)
    for trace, flags in ((silent, "00"), (told, "01")):
        await http.get(f"{product.at['registry']}/v1/countries", headers={"traceparent": f"00-{trace}-{secrets.token_hex(8)}-{flags}"})

    async def arrived() -> bool:
        return bool(collector.of(told))

    await until(arrived, 60)
    assert not collector.of(silent)
