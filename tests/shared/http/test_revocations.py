"""Ended sessions, heard from the real Kafka: what was said before the start, what is said now, and after Kafka was away."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from aiokafka import AIOKafkaProducer
from latchkey.envelope import encode
from latchkey.events import PublicEvent
from latchkey.events.identity import AccountErased, SessionsRevoked
from latchkey.topics import IDENTITY_ACCOUNT_EVENTS
from structlog.testing import capture_logs

from shared.http.revocations import KafkaRevocations
from shared.http.tokens import Claims
from shared.ids import new_id
from stack.testing import RealStack
from tests.shared.until import until

pytestmark = pytest.mark.stack


def claims(account_id: str, session_id: str = "ses_1") -> Claims:
    return Claims("person", account_id, session_id, 1, frozenset(), 0, 0)


@asynccontextmanager
async def producing(bootstrap: str) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def say(producer: AIOKafkaProducer, account_id: str, events: Iterable[PublicEvent]) -> None:
    for version, event in enumerate(events, start=1):
        value = encode(
            event, source="/identity", stream_id=account_id, streamversion=version, time=datetime.now(UTC), tenant=account_id,
            correlation_id="c", causation_id=None, traceparent=None,
        )  # fmt: skip
        await producer.send_and_wait(IDENTITY_ACCOUNT_EVENTS, value, key=account_id.encode())


async def soon(heard: KafkaRevocations, wanted: Claims, seconds: float = 20.0) -> float:
    """Wait until this is revoked, and give the seconds it took."""
    started = time.monotonic()
    while not await heard.is_revoked(wanted):
        assert time.monotonic() - started < seconds, "was not heard"
        await asyncio.sleep(0.005)
    return time.monotonic() - started


async def test_what_was_said_before_the_start_and_what_is_said_now_is_heard(stack: RealStack) -> None:
    early, late, spared = new_id("acc"), new_id("acc"), new_id("acc")
    async with producing(stack.bootstrap) as producer:
        await producer.send_and_wait(IDENTITY_ACCOUNT_EVENTS, b"no envelope at all", key=b"x")
        await say(producer, early, [SessionsRevoked(account_id=early, generation=2)])
        async with KafkaRevocations(stack.bootstrap) as heard:
            await soon(heard, claims(early))
            await say(producer, late, [SessionsRevoked(account_id=late, session_id="ses_late")])
            assert await soon(heard, claims(late, "ses_late")) < 2
            assert not await heard.is_revoked(claims(late, "ses_other"))
            await say(producer, late, [AccountErased(account_id=late)])
            await soon(heard, claims(late, "ses_other"))
            assert not await heard.is_revoked(claims(spared))


async def test_it_begins_without_kafka_and_listens_when_kafka_is_there(breakable_stack: RealStack) -> None:
    breakable_stack.kafka.stop()
    account = new_id("acc")
    async with KafkaRevocations(breakable_stack.bootstrap) as heard:
        await asyncio.sleep(0.5)
        assert not await heard.is_revoked(claims(account))
        await asyncio.to_thread(breakable_stack.start)
        async with producing(breakable_stack.bootstrap) as producer:
            await say(producer, account, [SessionsRevoked(account_id=account, generation=2)])
        await soon(heard, claims(account), seconds=40)


async def test_a_client_that_learns_nothing_any_more_is_made_anew(breakable_stack: RealStack) -> None:
    account = new_id("acc")
    async with KafkaRevocations(breakable_stack.bootstrap, silence_seconds=1.5) as heard, producing(breakable_stack.bootstrap) as producer:
        await say(producer, account, [SessionsRevoked(account_id=account, generation=2)])
        await soon(heard, claims(account))
        breakable_stack.kafka.child.send(signal.SIGSTOP)
        try:
            with capture_logs() as lines:

                async def complained() -> bool:
                    return any(line["event"].startswith("revocations are not heard") for line in lines)

                await until(complained, 15)
        finally:
            breakable_stack.kafka.child.send(signal.SIGCONT)
        await say(producer, account, [AccountErased(account_id=account)])
        await soon(heard, replace(claims(account), generation=2), seconds=40)
