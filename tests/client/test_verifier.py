"""The local verifier on a real topic: what it answers, how soon, and that it refuses rather than guesses."""

import asyncio
import gc
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from aiokafka import AIOKafkaProducer
from latchkey.admission import KeyGate, Message, Receive, Scope, Send
from latchkey.beats import BEAT_KEY, Beats, boot_clock, encode_beat
from latchkey.blocking import BlockingVerifier
from latchkey.envelope import splice
from latchkey.judging import Code, PairRecord, PairStatus, RingRecord, encode_ring
from latchkey.keyformat import Environment, Kind, key_digest, make_key
from latchkey.topics import KEYS_VERIFIER_STATE, Topic
from latchkey.topics import TOPICS as ALL_TOPICS
from latchkey.verifier import MAX_WAITERS, LocalVerifier, Verdict

from stack.testing import RealStack

pytestmark = pytest.mark.stack

BOUND_MS = 1000
FEED = next(topic for topic in ALL_TOPICS if topic.name == KEYS_VERIFIER_STATE)


def key(number: int, kind: Kind = Kind.SECRET) -> str:
    return make_key(kind, Environment.LIVE, bytes([number, kind is Kind.SECRET]) + bytes(30))


def pair(number: int) -> PairRecord:
    digests = key_digest(key(number, Kind.PUBLIC)), key_digest(key(number))
    return PairRecord(f"kr_{number}", f"kp_{number}", f"app_{number}", "acc_1", "live", *digests, PairStatus.ACTIVE, f"lin_{number}")


class Leader:
    """The keys service as far as the topic shows it: rings, and a beat every quarter of the bound."""

    def __init__(self, bootstrap: str, topic: Topic) -> None:
        self.topic, self.topic_at, self.beating = topic, bootstrap, True
        self._producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=False)
        self._versions: dict[str, int] = {}
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        await self._producer.start()
        self._task = asyncio.create_task(self._beat())

    async def stop(self) -> None:
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])
        await self._producer.stop()

    async def put(self, record: PairRecord, version: int | None = None) -> None:
        """Publish the ring of this one pair."""
        version = version or self._versions.get(record.ring_id, 0) + 1
        self._versions[record.ring_id] = version
        ring = RingRecord(record.ring_id, version, (record,))
        await self.put_raw(record.ring_id, splice(encode_ring(ring).encode(), version))

    async def put_raw(self, ring_id: str, raw: bytes | None) -> None:
        await self._producer.send_and_wait(self.topic.name, raw, key=ring_id.encode(), partition=0)

    async def _beat(self) -> None:
        beats = Beats(uuid.uuid4().hex)
        while True:
            if self.beating:
                beat = beats.make(boot_clock(), datetime.now(UTC))
                await self._producer.send_and_wait(self.topic.name, encode_beat(beat), key=BEAT_KEY, partition=0)
                beats.acknowledged(beat, boot_clock())
            await asyncio.sleep(BOUND_MS / 4000)


@pytest.fixture
async def exits() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as made:
        yield made


@pytest.fixture
async def leader(stack: RealStack, exits: AsyncExitStack) -> Leader:
    topic = Topic(f"test.verifier.{uuid.uuid4().hex}", 1, FEED.config)
    stack.make_topics(topic)
    made = Leader(stack.kafka.bootstrap, topic)
    await made.start()
    exits.push_async_callback(made.stop)
    return made


@pytest.fixture
async def verifier(stack: RealStack, leader: Leader, exits: AsyncExitStack) -> LocalVerifier:
    await leader.put(pair(1))
    made = LocalVerifier(stack.kafka.bootstrap, bound_ms=BOUND_MS, topic=leader.topic.name)
    assert made.check(key(1)).code is Code.STALE_FEED
    await made.start()
    exits.push_async_callback(made.stop)
    assert await made.ready(10)
    return made


async def until(holds: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while True:
            if holds():
                return
            await asyncio.sleep(0.001)


async def accepted_until(verifier: LocalVerifier, refusal: Code) -> float:
    """Wait until the key is refused so, and return after how many seconds from now it was accepted for the last time."""
    began = accepted = time.monotonic()

    def refused() -> bool:
        nonlocal accepted
        asked, code = time.monotonic(), verifier.check(key(1)).code
        accepted = asked if code is Code.VALID else accepted
        return code is refusal

    await until(refused)
    return accepted - began


def at_once(verifier: LocalVerifier, number: int = 1) -> Verdict:
    """What is answered without any waiting, which fails."""
    with pytest.raises(StopIteration) as answered:
        verifier.check_fresh(key(number)).send(None)
    return cast("Verdict", answered.value.value)


async def test_it_answers_what_the_keys_service_would(leader: Leader, verifier: LocalVerifier) -> None:
    verdict = verifier.check(key(1))
    assert (verdict.code, verdict.record, verdict.kind, verdict.environment) == (Code.VALID, pair(1), Kind.SECRET, Environment.LIVE)
    assert verifier.check(key(1, Kind.PUBLIC)).kind is Kind.PUBLIC
    assert verifier.check(key(1), origin="https://shop.example").code is Code.FORBIDDEN_ORIGIN
    assert verifier.check(key(1)[:-1] + "0").code is Code.MALFORMED
    assert verifier.check(key(2)).code is Code.NOT_FOUND
    await leader.put(replace(pair(1), scopes=frozenset({"pay"})))
    await until(lambda: verifier.check(key(1), scope="pay").code is Code.VALID)
    assert verifier.age_seconds < BOUND_MS / 1000


async def test_a_revoked_key_is_refused_within_the_bound_and_for_ever(leader: Leader, verifier: LocalVerifier) -> None:
    await leader.put(replace(pair(1), status=PairStatus.REVOKED))
    assert await accepted_until(verifier, Code.REVOKED) < BOUND_MS / 1000
    await leader.put(pair(1), version=1)
    await leader.put(pair(3))
    await until(lambda: verifier.check(key(3)).code is Code.VALID)
    assert verifier.check(key(1)).code is Code.REVOKED


async def test_a_frozen_leader_ends_in_a_refusal_and_a_new_beat_in_answers(leader: Leader, verifier: LocalVerifier) -> None:
    leader.beating = False
    await until(lambda: verifier.check(key(1)).code is Code.STALE_FEED)
    leader.beating = True
    await until(lambda: verifier.check(key(1)).code is Code.VALID)


async def test_an_erased_ring_does_not_come_back(leader: Leader, verifier: LocalVerifier) -> None:
    await leader.put_raw("kr_1", None)
    await until(lambda: verifier.check(key(1)).code is Code.NOT_FOUND)
    await leader.put(pair(1))
    await leader.put(pair(3))
    await until(lambda: verifier.check(key(3)).code is Code.VALID)
    assert verifier.check(key(1)).code is Code.NOT_FOUND


async def test_a_ring_that_cannot_be_read_is_refused_until_it_can(leader: Leader, verifier: LocalVerifier) -> None:
    await leader.put_raw("kr_1", b"{broken")
    await until(lambda: verifier.check(key(1)).code is Code.NOT_FOUND)
    assert verifier.unreadable == 1
    await leader.put(pair(1))
    await until(lambda: verifier.check(key(1)).code is Code.VALID)


async def test_a_new_key_is_never_refused_for_being_new(leader: Leader, verifier: LocalVerifier) -> None:
    asked = asyncio.create_task(verifier.check_fresh(key(5)))
    await asyncio.sleep(0.05)
    await leader.put(pair(5))
    assert (await asked).code is Code.VALID
    assert (await verifier.check_fresh(key(6))).code is Code.NOT_FOUND
    assert (await verifier.check_fresh("nonsense")).code is Code.MALFORMED


async def test_waiting_is_bounded_in_number_and_in_time(leader: Leader, verifier: LocalVerifier) -> None:
    leader.beating = False
    waiting = [asyncio.create_task(verifier.check_fresh(key(7))) for _ in range(MAX_WAITERS)]
    await asyncio.sleep(0)
    assert at_once(verifier, 7).code is Code.STALE_FEED
    assert {verdict.code for verdict in await asyncio.gather(*waiting)} == {Code.STALE_FEED}


async def test_those_that_wait_over_a_stall_are_bounded_too(leader: Leader, verifier: LocalVerifier) -> None:
    leader.beating = False
    await until(lambda: not verifier.fresh)
    waiting = [asyncio.create_task(verifier.check_fresh(key(1))) for _ in range(MAX_WAITERS)]
    await asyncio.sleep(0)
    assert not any(call.done() for call in waiting)
    assert at_once(verifier).code is Code.STALE_FEED
    leader.beating = True
    await asyncio.gather(*waiting)


async def test_a_stall_costs_time_and_no_answer(stack: RealStack, leader: Leader, exits: AsyncExitStack) -> None:
    verifier = LocalVerifier(stack.kafka.bootstrap, bound_ms=3_000, topic=leader.topic.name)  # so much is there for the next beat
    await leader.put(pair(1))
    await verifier.start()
    exits.push_async_callback(verifier.stop)
    assert await verifier.ready(10)
    leader.beating = False
    await until(lambda: not verifier.fresh)
    known, unknown = (asyncio.create_task(verifier.check_fresh(key(number))) for number in (1, 8))
    await asyncio.sleep(0.05)
    assert not known.done()
    leader.beating = True
    assert (await known).code is Code.VALID
    assert (await unknown).code is Code.NOT_FOUND


async def test_an_outage_is_told_at_once(leader: Leader, verifier: LocalVerifier) -> None:
    leader.beating = False
    await until(lambda: not verifier.fresh)
    await asyncio.sleep(BOUND_MS / 1000 + 0.05)
    assert at_once(verifier).code is Code.STALE_FEED


async def test_an_overlap_ends_at_its_deadline_by_the_databases_clock(leader: Leader, verifier: LocalVerifier) -> None:
    ends = datetime.now(UTC) + timedelta(seconds=1)
    await leader.put(replace(pair(1), status=PairStatus.RETIRING, valid_until=ends))
    await until(lambda: verifier.check(key(1)).record != pair(1))
    await until(lambda: verifier.check(key(1)).code is Code.VALID)
    await until(lambda: verifier.check(key(1)).code is Code.ROTATED)
    assert timedelta(0) <= datetime.now(UTC) - ends < timedelta(seconds=1)


async def test_another_topic_of_the_same_name_is_known_for_one_even_when_it_is_longer(
    stack: RealStack, leader: Leader, verifier: LocalVerifier
) -> None:
    leader.beating = False
    await until(lambda: not verifier.fresh)
    stack.empty_topics(leader.topic)
    await leader.put(replace(pair(1), status=PairStatus.REVOKED))
    for _ in range(60):
        await leader.put(pair(9))
    leader.beating = True
    await until(lambda: verifier.check(key(9)).code is Code.VALID)
    assert verifier.check(key(1)).code is Code.REVOKED


async def test_kafka_away_ends_in_a_refusal_and_kafka_back_in_answers(breakable_stack: RealStack, exits: AsyncExitStack) -> None:
    topic = Topic(f"test.verifier.{uuid.uuid4().hex}", 1, FEED.config)
    breakable_stack.make_topics(topic)
    first = Leader(breakable_stack.kafka.bootstrap, topic)
    await first.start()
    await first.put(pair(1))
    verifier = LocalVerifier(breakable_stack.kafka.bootstrap, bound_ms=BOUND_MS, topic=topic.name)
    await verifier.start()
    exits.push_async_callback(verifier.stop)
    assert await verifier.ready(10)
    # This leader does not come back: another one leads when Kafka does.
    await first.stop()
    await asyncio.to_thread(breakable_stack.kafka.kill)
    assert await accepted_until(verifier, Code.STALE_FEED) < BOUND_MS / 1000
    await asyncio.to_thread(breakable_stack.start)
    second = Leader(breakable_stack.kafka.bootstrap, topic)
    await second.start()
    exits.push_async_callback(second.stop)
    await until(lambda: verifier.check(key(1)).code is Code.VALID, seconds=60)


async def test_a_topic_made_anew_is_read_from_its_start(stack: RealStack, leader: Leader, verifier: LocalVerifier) -> None:
    leader.beating = False
    await until(lambda: not verifier.fresh)
    stack.empty_topics(leader.topic)
    await leader.put(pair(9))
    leader.beating = True
    await until(lambda: verifier.check(key(9)).code is Code.VALID)
    assert verifier.check(key(1)).code is Code.NOT_FOUND


async def test_the_gate_and_a_program_without_asyncio_judge_by_the_same_table(leader: Leader, verifier: LocalVerifier) -> None:
    statuses: list[int] = []

    async def send(message: Message) -> None:
        statuses.append(message.get("status", 0))

    async def receive() -> Message:
        return {}

    async def app(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"status": 200})

    async def knock(text: str) -> int:
        scope = {"type": "http", "path": "/", "headers": [(b"authorization", f"Bearer {text}".encode())], "client": None}
        statuses.clear()
        await KeyGate(app, verifier)(scope, receive, send)
        return statuses[0]

    def ask(keys: Sequence[str]) -> list[Code]:
        with BlockingVerifier(leader.topic_at, bound_ms=30_000, topic=leader.topic.name) as blocking:
            assert blocking.fresh
            return [blocking.check(text).code for text in keys]

    await leader.put(replace(pair(2), status=PairStatus.REVOKED))
    await until(lambda: verifier.check(key(2)).code is Code.REVOKED)
    assert [await knock(key(1)), await knock(key(2)), await knock("nonsense")] == [200, 401, 401]
    assert await asyncio.to_thread(ask, [key(1), key(2), "nonsense"]) == [Code.VALID, Code.REVOKED, Code.MALFORMED]
    gc.collect()  # what was left open would complain now


def test_a_blocking_verifier_that_cannot_read_says_so_and_leaves_no_thread(stack: RealStack) -> None:
    stack.make_topics(nobody := Topic(f"test.verifier.{uuid.uuid4().hex}", 1, FEED.config))
    blocking = BlockingVerifier(stack.kafka.bootstrap, topic=nobody.name, ready_seconds=1)
    with pytest.raises(TimeoutError, match="could not be read"):
        blocking.__enter__()
    assert "latchkey verifier" not in {thread.name for thread in threading.enumerate()}
    gc.collect()  # what was left open would complain now
