"""Revoke → refused: from the answer of the revoking command to the first refusal, at the HTTP verifier and in another process.

Twice: with nothing else to do, and while one client verifies and another records transactions, each as fast as it is answered.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import urlsplit

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from latchkey.judging import Code
from latchkey.topics import Topic
from latchkey.verifier import LocalVerifier

from benchmarks.load import Request, load
from benchmarks.measure import QUICK, Figure, figure
from benchmarks.openloop import one_answer
from benchmarks.serving import Running, with_keys
from shared.wake import RedisWake
from stack.testing import RealStack
from tests.product import Product

TIMES, WARM_UP = 20 if QUICK else 200, 5
_TOLD = Topic("bench.told", 1, {"cleanup.policy": "delete"})
_GIVE_UP = 5.0
_LOOK = 0.0005  # seconds between two questions


class Places(NamedTuple):
    """Milliseconds until a key is refused: by the HTTP verifier, which reads keys' own log, and by one that reads Kafka."""

    over_http: list[float]
    elsewhere: list[float]


async def run(product: Product) -> list[Figure]:
    """Median and 99th percentile of both places, at rest and under load, beside the least that telling another connection takes."""
    async with with_keys(product) as running:
        verifier = LocalVerifier(product.stack.bootstrap, bound_ms=1000)
        await verifier.start()
        if not await verifier.ready(60):
            raise TimeoutError("the verifier topic could not be read")
        least = await _least(product.stack)
        at_rest = await _refused(running, verifier)
        async with _busy(running):
            under_load = await _refused(running, verifier), await _least(product.stack)
        await verifier.stop()
    return [*_figures("", at_rest, least), *_figures(", under load", *under_load)]


def _figures(how: str, ours: Places, least: Places) -> list[Figure]:
    return [
        figure(
            "revoke", f"→ {where} refuses, {name}{how}", "ms", [_at(share, took)], [_at(share, limit)],
            peer=peer, floor=floor, goal=goal, smaller_is_better=True, at_the_limit=True,
        )
        for where, peer, took, limit in (
            ("HTTP", "commit, wake, read", ours.over_http, least.over_http),
            ("another process", "the same, Kafka", ours.elsewhere, least.elsewhere),
        )
        for name, share, floor, goal in (("p50", 0.5, None, 5), ("p99", 0.99, 250, 25))
    ]  # fmt: skip


def _at(share: float, took: list[float]) -> float:
    return sorted(took)[int(share * len(took))]


async def _refused(running: Running, verifier: LocalVerifier) -> Places:
    """Of so many keys."""
    over_http, locally = [], []
    await running.developer.sign_in()  # a token lasts five minutes
    token = await running.developer.machine_token()
    at = urlsplit(running.product.at["keys"])
    connection = await asyncio.open_connection(at.hostname, at.port)
    for _ in range(WARM_UP + TIMES):
        key, answered = await revoked(running, verifier)
        question = _question(running, token, key)

        async def asked(question: Request = question) -> bool:
            return bool(json.loads(await one_answer(*connection, question))["code"] == "REVOKED")

        async def known(key: str = key) -> bool:
            return verifier.check(key).code is Code.REVOKED

        took = await asyncio.gather(_until(asked, answered), _until(known, answered))
        over_http.append(took[0])
        locally.append(took[1])
    connection[1].close()
    return Places(over_http[WARM_UP:], locally[WARM_UP:])


async def _until(refused: Callable[[], Awaitable[bool]], answered: float) -> float:
    while not await refused():
        if time.perf_counter() - answered > _GIVE_UP:
            raise TimeoutError
        await asyncio.sleep(_LOOK)
    return 1000 * (time.perf_counter() - answered)


async def revoked(running: Running, *verifiers: LocalVerifier) -> tuple[str, float]:
    """A key that all of these knew and that was revoked, and the moment (`perf_counter`) at which that was answered."""
    developer = running.developer
    app = await developer.add_app()
    await developer.heard("keys", f"/v1/apps/{app['app_id']}/keys", _GIVE_UP)
    pair = await developer.generate(app["app_id"])
    key: str = pair["secret_key"]
    await asyncio.gather(*(verifier.check_fresh(key) for verifier in verifiers))
    path = f"/v1/apps/{app['app_id']}/keys/{pair['pair_id']}/revoke"
    answer = await developer.call("POST", "keys", path, json={"reason": "bench"})
    answered = time.perf_counter()
    answer.raise_for_status()
    return key, answered


def _question(running: Running, token: str, key: str) -> Request:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    return Request(f"{running.product.at['keys']}/v1/keys/verify", "POST", headers, json.dumps({"key": key}))


async def _least(stack: RealStack) -> Places:
    """Milliseconds from a commit until another connection has read it, woken over Valkey, and until a consumer has it from Kafka after
    that: whoever has to be told these ways is not told sooner."""
    read, consumed = [], []
    stack.make_topics(_TOLD)
    writing, reading = [await asyncpg.connect(stack.superuser_dsn) for _ in range(2)]
    await writing.execute("DROP TABLE IF EXISTS told; CREATE TABLE told (number int)")
    async with (
        RedisWake(stack.redis_url, "least", listen=False) as saying,
        RedisWake(stack.redis_url, "least") as hearing,
        AIOKafkaProducer(bootstrap_servers=stack.bootstrap, acks="all") as producer,
        AIOKafkaConsumer(_TOLD.name, bootstrap_servers=stack.bootstrap) as consumer,
    ):
        await consumer.seek_to_end()
        for number in range(WARM_UP + TIMES):
            await writing.execute("INSERT INTO told VALUES ($1)", number)
            began = time.perf_counter()
            saying.publish()
            if not await hearing.wait(_GIVE_UP) or await reading.fetchval("SELECT max(number) FROM told") != number:
                raise TimeoutError
            read.append(1000 * (time.perf_counter() - began))
            sending = asyncio.create_task(producer.send_and_wait(_TOLD.name, b"%d" % number))
            async with asyncio.timeout(_GIVE_UP):
                while (await consumer.getone()).value != b"%d" % number:
                    pass
            consumed.append(1000 * (time.perf_counter() - began))
            await sending
    for db in (writing, reading):
        await db.close()
    return Places(read[WARM_UP:], consumed[WARM_UP:])


@asynccontextmanager
async def _busy(running: Running) -> AsyncIterator[None]:
    """One client verifies one key after another and one records one transaction after another, while the block lasts."""
    secret = running.pair["secret_key"]
    sale = {"transaction_id": "bench-{n}", "amount": "12.34", "currency": "USD", "status": "succeeded"}
    sale["occurred_at"] = datetime.now(UTC).isoformat()
    token = await running.developer.machine_token()
    record = Request(
        f"{running.product.at['metrics']}/v1/transactions", "POST",
        {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}, json.dumps({"transactions": [sale]}),
    )  # fmt: skip
    ended = asyncio.Event()

    async def again(name: str, request: Request) -> None:
        while not ended.is_set():
            await load(request, running.server(name), connections=1)

    async with asyncio.TaskGroup() as together:
        together.create_task(again("keys-main", _question(running, token, secret)))
        together.create_task(again("metrics-main", record))
        try:
            yield
        finally:
            ended.set()
