"""The consumer when something breaks: it is killed, the topic loses records or is made anew, the database goes away."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Sequence
from dataclasses import dataclass, replace

import asyncpg
import pytest
from latchkey.consumer import Consumer, FeedPage, Reactor
from latchkey.envelope import Envelope
from latchkey.events.registry import AppDisabled
from latchkey.partitioning import partition_of
from latchkey.topics import Topic

from tests.client.conftest import QUICK, Bench, Rows
from tests.client.publisher import PARTITIONS, envelope

pytestmark = pytest.mark.stack

EVENTS = [(f"app_{stream}", version) for version in range(1, 31) for stream in range(10)]
ALL = {f"app_{stream}": list(range(1, 31)) for stream in range(10)}


async def process(bench: Bench, failpoint: str = "") -> Process:
    """A consumer in a process of its own, armed with a crash point."""
    arguments = (bench.publisher.bootstrap, bench.database.app, bench.publisher.topic, bench.name)
    environment = os.environ | {"FAILPOINT": failpoint, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    program = (sys.executable, "-m", "tests.client.consumer_process")
    return await asyncio.create_subprocess_exec(*program, *arguments, env=environment, stderr=DEVNULL)


async def end(child: Process) -> None:
    if child.returncode is None:
        child.send_signal(signal.SIGKILL)
    await child.wait()


@pytest.mark.parametrize("point", ["consumer.before_transaction", "consumer.in_transaction", "consumer.after_transaction"])
async def test_a_kill_at_any_point_neither_loses_nor_doubles_an_event(bench: Bench, point: str) -> None:
    await bench.publisher.send_all(EVENTS)
    for _ in range(2):
        child = await process(bench, point)
        assert await child.wait() == 137
    survivor = await process(bench)
    try:
        await bench.until(lambda: same(bench))
    finally:
        await end(survivor)
    assert await bench.applied() == ALL


async def test_a_kill_under_load_neither_loses_nor_doubles_an_event(bench: Bench) -> None:
    sending = asyncio.create_task(slowly(bench))
    for seconds in (0.9, 1.1, 1.3):
        child = await process(bench)
        await asyncio.sleep(seconds)
        await end(child)
    survivor = await process(bench)
    try:
        await sending
        await bench.until(lambda: same(bench))
    finally:
        await end(survivor)
    assert await bench.applied() == ALL


async def slowly(bench: Bench) -> None:
    for event in EVENTS:
        await bench.publisher.send_all([event])
        await asyncio.sleep(0.01)


async def same(bench: Bench) -> bool:
    return await bench.applied() == ALL


async def test_a_consumer_that_was_killed_again_and_again_takes_up_its_partitions_at_once(bench: Bench) -> None:
    """Kafka would wait for each of the dead until their session ends, unless who comes back is known for the one who went."""
    child = await process(bench)
    await bench.publisher.send("app_1", 1)
    await bench.arrived(app_1=1)
    for version in (2, 3, 4):
        await end(child)
        child = await process(bench)
        await bench.publisher.send("app_1", version)
        await bench.arrived(app_1=version)
    await end(child)


async def test_whoever_stops_in_order_gives_its_partitions_to_the_others_at_once(bench: Bench) -> None:
    patient = replace(QUICK, session_timeout_ms=60_000)
    first = bench.start(policy=patient)
    await bench.until(lambda: first.status.assigned == PARTITIONS)
    second = bench.start(policy=patient)
    await bench.until(lambda: first.status.assigned == second.status.assigned == PARTITIONS // 2)
    await bench.stop(first)
    await bench.until(lambda: second.status.assigned == PARTITIONS)


async def test_a_seat_is_not_taken_for_the_one_before_when_it_wants_other_topics(bench: Bench) -> None:
    """Kafka would give it the partitions of its predecessor, and none of the topics that are new."""
    child = await process(bench)
    await bench.publisher.send("app_1", 1)
    await bench.arrived(app_1=1)
    await end(child)
    other = bench.name + ".other"
    bench.stack.make_topics(Topic(other, 1, {"cleanup.policy": "delete"}))
    async with asyncpg.create_pool(bench.database.app, min_size=1, max_size=4) as pool:
        consumer = Consumer(bench.publisher.bootstrap, pool, Rows(), [other], bench.name, name="rows", policy=QUICK)
        running = asyncio.create_task(consumer.run())
        await bench.until(lambda: consumer.status.assigned == 1)
        assert list(consumer.status.lags) == [f"{other}-0"]
        await consumer.stop()
        await running


async def test_who_lost_its_seat_takes_another_and_nobody_is_driven_out(bench: Bench) -> None:
    first = bench.start()
    await bench.until(lambda: first.status.assigned == PARTITIONS)
    await bench.pool.execute(
        "SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_database d ON d.oid = l.database "
        "WHERE l.locktype = 'advisory' AND d.datname = current_database() AND l.pid <> pg_backend_pid()"
    )
    await bench.until(lambda: first.status.clients_recreated == 1)
    second = bench.start()
    await bench.until(lambda: first.status.assigned == second.status.assigned == PARTITIONS // 2)
    await bench.publisher.send_all(EVENTS)
    await bench.until(lambda: same(bench))
    assert first.status.clients_recreated == 1
    assert second.status.clients_recreated == 0


async def test_a_reaction_cut_off_by_a_kill_is_called_again_and_nothing_else_is(bench: Bench) -> None:
    called: list[int] = []
    gate = asyncio.Event()

    async def react(event: Envelope) -> None:
        called.append(event.streamversion)
        if event.streamversion == 2 and not gate.is_set():
            gate.set()
            raise ConnectionResetError("cut off after the effect")

    bench.start(Reactor({AppDisabled: react}))
    await bench.publisher.send("app_1", 1)
    await bench.until(lambda: called == [1])
    await bench.publisher.send("app_1", 2, 3)
    await bench.until(lambda: called[-1] == 3)
    await bench.publisher.send("app_1", 1, 2, 3, 4)
    await bench.until(lambda: called[-1] == 4)
    assert called.count(1) == called.count(3) == called.count(4) == 1
    assert called.count(2) == 2


async def test_what_retention_took_is_declared_and_the_streams_go_on(bench: Bench) -> None:
    await bench.publisher.send_all([(f"app_{stream}", version) for version in (1, 2, 3) for stream in range(10)])
    await bench.publisher.forget_before(5)
    consumer = bench.start()
    await bench.until(lambda: consumer.status.retention_gaps == PARTITIONS)
    await bench.publisher.send_all([(f"app_{stream}", 4) for stream in range(10)])
    await bench.arrived(**{f"app_{stream}": 4 for stream in range(10)})
    assert all(versions == list(range(versions[0], 5)) for versions in (await bench.applied()).values())
    assert await bench.parked() == []
    assert await bench.pool.fetchval("SELECT bool_and(declared) FROM latchkey.checkpoints")


@dataclass
class Log:
    """A publisher's feed, as `Source` describes it."""

    events: Sequence[tuple[str, int]]
    asked: int = 0

    async def page(self, *, after: int, stream: str | None = None, limit: int = 500) -> FeedPage:
        """Two events at a time, so that paging is seen to work."""
        self.asked += 1
        found = [
            (position, name, version)
            for position, (name, version) in enumerate(self.events, 1)
            if position > after and stream in {None, name}
        ][: min(limit, 2)]
        events = [envelope(name, version, position=position) for position, name, version in found]
        return FeedPage(events, found[-1][0] if found else after, len(self.events))


async def test_what_retention_took_is_filled_from_the_feed(bench: Bench) -> None:
    events = [(f"app_{stream}", version) for version in (1, 2, 3) for stream in range(10)]
    await bench.publisher.send_all(events)
    await bench.publisher.forget_before(8)
    consumer = bench.start(source=Log(events))
    await bench.publisher.send_all([(f"app_{stream}", 4) for stream in range(10)])
    await bench.arrived(**{f"app_{stream}": 4 for stream in range(10)})
    assert await bench.applied() == {f"app_{stream}": [1, 2, 3, 4] for stream in range(10)}
    assert consumer.status.retention_gaps == PARTITIONS
    assert await bench.parked() == []


async def test_a_gap_is_filled_from_the_feed(bench: Bench) -> None:
    bench.start(source=Log([("app_1", version) for version in (1, 2, 3, 4)]))
    await bench.publisher.send("app_1", 1, 4, 5)
    await bench.arrived(app_1=5)
    assert await bench.applied() == {"app_1": [1, 2, 3, 4, 5]}
    assert await bench.parked() == []


async def test_a_gap_is_filled_while_its_partition_is_busy(bench: Bench) -> None:
    busy = next(name for name in map("app_{}".format, range(2, 99)) if partition_of(name, PARTITIONS) == partition_of("app_1", PARTITIONS))

    class Busy(Log):
        """Answers only when the partition has gone on since it was asked."""

        async def page(self, *, after: int, stream: str | None = None, limit: int = 500) -> FeedPage:
            page = await super().page(after=after, stream=stream, limit=limit)
            await bench.publisher.send(busy, self.asked)
            await bench.arrived(**{busy: self.asked})
            return page

    bench.start(source=Busy([("app_1", version) for version in range(1, 8)]))
    await bench.publisher.send("app_1", 1, 7)
    await bench.arrived(app_1=7)
    assert (await bench.applied())["app_1"] == [1, 2, 3, 4, 5, 6, 7]
    assert await bench.parked() == []


async def test_a_gap_of_a_reactor_is_filled_while_its_partition_is_busy(bench: Bench) -> None:
    busy = next(name for name in map("app_{}".format, range(2, 99)) if partition_of(name, PARTITIONS) == partition_of("app_1", PARTITIONS))
    reacted: list[tuple[str, int]] = []

    async def react(event: Envelope) -> None:
        reacted.append((event.subject, event.streamversion))

    class Busy(Log):
        async def page(self, *, after: int, stream: str | None = None, limit: int = 500) -> FeedPage:
            page = await super().page(after=after, stream=stream, limit=limit)
            await bench.publisher.send(busy, self.asked)
            await bench.until(lambda: (busy, self.asked) in reacted)
            return page

    consumer = bench.start(Reactor({AppDisabled: react}), source=Busy([("app_1", version) for version in range(1, 8)]))
    await bench.publisher.send("app_1", 1, 7)
    assert await consumer.wait_for("app_1", 7, 20)
    assert [version for stream, version in reacted if stream == "app_1"] == [1, 2, 3, 4, 5, 6, 7]


async def test_a_consumer_whose_topic_is_gone_is_not_up_to_date(bench: Bench) -> None:
    consumer = bench.start()
    await bench.publisher.send("app_1", 1)
    await bench.arrived(app_1=1)
    await bench.until(lambda: consumer.status.age_seconds < 1)
    await bench.publisher.delete()
    await bench.until(lambda: consumer.status.age_seconds > 4)


async def test_a_topic_made_anew_is_read_from_its_start_and_nothing_is_doubled(bench: Bench) -> None:
    first = bench.start()
    await bench.publisher.send_all([(f"app_{stream}", version) for version in (1, 2, 3) for stream in range(10)])
    await bench.until(lambda: first.status.applied == 30)
    await bench.stop(first)
    await bench.publisher.delete()
    await asyncio.sleep(0.5)
    await bench.publisher.create()
    second = bench.start()
    await bench.until(lambda: second.status.remade_topics == PARTITIONS)
    await bench.publisher.send_all([(f"app_{stream}", version) for version in (1, 2, 3, 4) for stream in range(10)])
    await bench.until(lambda: second.status.applied == 10)
    assert await bench.applied() == {f"app_{stream}": [1, 2, 3, 4] for stream in range(10)}
    assert second.status.duplicates == 30


async def test_a_topic_made_anew_is_known_by_its_last_record_even_when_it_is_longer(bench: Bench) -> None:
    first = bench.start()
    await bench.publisher.send("app_1", 1, 2)
    await bench.arrived(app_1=2)
    await bench.stop(first)
    await bench.publisher.delete()
    await asyncio.sleep(0.5)
    await bench.publisher.create()
    await bench.publisher.send("app_1", 1, tenantid="acc_other")
    await bench.publisher.send("app_1", 2, 3, 4, tenantid="acc_other")
    second = bench.start()
    await bench.arrived(app_1=4)
    assert await bench.applied() == {"app_1": [1, 2, 3, 4]}
    assert second.status.remade_topics >= 1


async def test_a_topic_made_anew_under_a_running_consumer_is_found_out(bench: Bench) -> None:
    consumer = bench.start(policy=replace(QUICK, recheck_seconds=0.5))
    await bench.publisher.send("app_1", 1, 2, 3)
    await bench.arrived(app_1=3)
    await bench.publisher.delete()
    await asyncio.sleep(0.5)
    await bench.publisher.create()
    await bench.publisher.send("app_1", 1, 2, 3, 4, tenantid="acc_other")
    await bench.arrived(app_1=4)
    assert await bench.applied() == {"app_1": [1, 2, 3, 4]}
    assert consumer.status.remade_topics >= 1


async def test_a_lost_database_connection_holds_the_partition_back_only(bench: Bench) -> None:
    bench.start()
    await bench.publisher.send("app_1", 1)
    await bench.arrived(app_1=1)
    superuser = await asyncpg.connect(bench.stack.superuser_dsn)
    try:
        for version in range(2, 12):
            await bench.publisher.send("app_1", version)
            await superuser.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", bench.database.name)
    finally:
        await superuser.close()
    await bench.arrived(app_1=11)  # not by what it counted: a commit whose answer was cut off took effect too
    assert await bench.applied() == {"app_1": list(range(1, 12))}
    assert await bench.parked() == []


async def test_a_batch_that_takes_too_long_is_halved_until_it_fits(bench: Bench) -> None:
    class Slow(Rows):
        async def apply(self, db: asyncpg.Connection, events: Sequence[Envelope]) -> None:
            await asyncio.sleep(0.02 * len(events))
            await super().apply(db, events)

    await bench.publisher.send("app_1", *range(1, 41))
    consumer = bench.start(Slow(), policy=replace(QUICK, transaction_seconds=0.4))
    await bench.arrived(app_1=40)
    assert await bench.applied() == {"app_1": list(range(1, 41))}
    assert consumer.status.failures >= 1


async def test_a_member_that_was_overtaken_changes_nothing(bench: Bench) -> None:
    entered, go_on = asyncio.Event(), asyncio.Event()

    async def react(event: Envelope) -> None:
        assert event.streamversion == 1
        entered.set()
        await go_on.wait()

    late = bench.start(Reactor({AppDisabled: react}))
    await bench.publisher.send("app_1", 1)
    await entered.wait()
    await bench.pool.execute("UPDATE latchkey.checkpoints SET next_offset = 1 WHERE partition = $1", partition_of("app_1", PARTITIONS))
    go_on.set()
    await bench.publisher.send("app_2", 1)
    assert await late.wait_for("app_2", 1, 10)
    assert [row[0] for row in await bench.pool.fetch("SELECT stream_id FROM latchkey.seen")] == ["app_2"]


async def test_with_kafka_away_from_the_start_its_age_shows(bench: Bench) -> None:
    consumer = Consumer("127.0.0.1:9", bench.pool, Rows(), [bench.name], bench.name, name="rows", policy=QUICK)
    running = asyncio.create_task(consumer.run())
    await bench.until(lambda: consumer.status.clients_recreated > 0 and consumer.status.age_seconds > 0.1)
    await consumer.stop()
    await running


async def test_a_silent_client_is_made_anew(bench: Bench) -> None:
    consumer = bench.start(policy=replace(QUICK, silence_seconds=-1.0))
    await bench.until(lambda: consumer.status.clients_recreated >= 2)
    assert "nothing heard" in consumer.status.last_error
