"""The consumer on real Kafka and PostgreSQL: once, in order, and no stream holds up another."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from latchkey.consumer import (
    NotParkedError,
    NotYet,
    ParkedRecord,
    Policy,
    Reactor,
    Start,
    install,
    parked_discard,
    parked_list,
    parked_retry,
    wait_for,
)
from latchkey.envelope import Envelope
from latchkey.events.registry import AppDisabled, AppEnabled

from tests.client.conftest import QUICK, Bench, Rows
from tests.client.publisher import envelope

pytestmark = pytest.mark.stack


class Picky(Rows):
    """Refuses one version of one stream for as long as it is told to."""

    def __init__(self, stream: str, version: int, error: Exception) -> None:
        self.refused, self.error, self.refusing, self.calls = (stream, version), error, True, 0

    async def apply(self, db: asyncpg.Connection, events: Sequence[Envelope]) -> None:
        await super().apply(db, events)
        if self.refusing and any((event.subject, event.streamversion) == self.refused for event in events):
            self.calls += 1
            raise self.error


async def test_duplicates_and_replays_take_effect_once_and_in_order(bench: Bench) -> None:
    events = [(f"app_{stream}", version) for version in range(1, 11) for stream in range(20)]
    again = [(stream, version) for stream, version in events for _ in range(1 + version * 7 % 4)]
    consumer = bench.start()
    await bench.publisher.send_all(again)
    await bench.publisher.send_all(events)
    await bench.publisher.send("app_last", 1)
    await bench.until(lambda: consumer.status.applied == len(events) + 1)
    await bench.until(lambda: consumer.status.duplicates == len(again))
    assert await bench.applied() == {f"app_{stream}": list(range(1, 11)) for stream in range(20)} | {"app_last": [1]}
    assert await bench.parked() == []
    await bench.until(lambda: consumer.status.lag_records == 0 and consumer.status.age_seconds < 1)


async def test_a_restarted_consumer_goes_on_where_it_was(bench: Bench) -> None:
    first = bench.start(member="one")
    await bench.publisher.send("app_1", 1, 2)
    await bench.arrived(app_1=2)
    await bench.stop(first)
    await bench.publisher.send("app_1", 3)
    second = bench.start(member="one")
    await bench.arrived(app_1=3)
    await bench.until(lambda: second.status.applied == 1)
    assert second.status.duplicates == 0
    assert await bench.applied() == {"app_1": [1, 2, 3]}


async def test_two_members_share_the_work_and_nothing_is_done_twice(bench: Bench) -> None:
    events = [(f"app_{stream}", version) for version in range(1, 21) for stream in range(30)]
    first = bench.start()
    await bench.publisher.send_all(events[:200])
    second = bench.start()
    await bench.publisher.send_all(events[200:400])
    await bench.until(lambda: first.status.assigned == second.status.assigned == 1)
    await bench.publisher.send_all(events[400:])
    await bench.until(lambda: first.status.applied + second.status.applied == len(events))
    assert await bench.applied() == {f"app_{stream}": list(range(1, 21)) for stream in range(30)}


async def test_a_gap_parks_its_stream_and_heals_in_order(bench: Bench) -> None:
    bench.start()
    await bench.publisher.send("app_1", 1, 3, 4)
    await bench.publisher.send("app_2", 2)
    await bench.publisher.send("app_3", 1, 2)
    await bench.arrived(app_1=1, app_3=2)
    await bench.until(bench_parked(bench, ("app_1", 3, "gap"), ("app_1", 4, "behind"), ("app_2", 2, "gap")))
    await bench.publisher.send("app_1", 2, 5)
    await bench.publisher.send("app_2", 1)
    await bench.arrived(app_1=5, app_2=2)
    assert await bench.applied() == {"app_1": [1, 2, 3, 4, 5], "app_2": [1, 2], "app_3": [1, 2]}
    assert await bench.parked() == []


def bench_parked(bench: Bench, *expected: tuple[str | None, int | None, str]) -> Any:
    async def holds() -> bool:
        return await bench.parked() == list(expected)

    return holds


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"{not json", "unreadable"),
        (b"", "unreadable"),
        (envelope("app_1", 2, type="registry.AppDisabled.v9"), "unknown_version"),
        (envelope("app_1", 2, data={"app_id": 7}), "unreadable"),
        (envelope("app_1", 2, subject="nul\x00"), "unreadable"),
        (envelope("app_1", 2, subject="s" * 5000), "unreadable"),
        (envelope("app_1", 2, streamversion=2**70), "unreadable"),
        (b'"' + b"x" * 5_000_000 + b'"', "too_large"),
    ],
    ids=["bad JSON", "nothing", "unknown version", "wrong data", "NUL", "long", "huge", "5 MB"],
)
async def test_poison_is_parked_by_its_offset_and_the_partition_goes_on(bench: Bench, raw: bytes, reason: str) -> None:
    bench.start()
    await bench.publisher.send("app_1", 1)
    await bench.publisher.send_raw("app_1", raw)
    await bench.publisher.send("app_1", 3)
    await bench.publisher.send("app_2", 1)
    await bench.arrived(app_1=1, app_2=1)
    await bench.until(bench_parked(bench, (None, None, reason), ("app_1", 3, "gap")))
    kept = await bench.pool.fetchval("SELECT raw FROM latchkey.parked WHERE stream_id IS NULL")
    assert kept == (None if reason == "too_large" else raw)


async def test_unknown_types_are_counted_and_still_advance_their_stream(bench: Bench) -> None:
    consumer = bench.start()
    await bench.publisher.send("app_1", 1)
    await bench.publisher.send("app_1", 2, type="registry.AppPainted.v1", data={"colour": "red"})
    await bench.publisher.send("app_1", 3)
    await bench.arrived(app_1=3)
    assert await bench.applied() == {"app_1": [1, 3]}
    await bench.until(lambda: consumer.status.unknown == 1)
    assert await bench.parked() == []


async def test_an_event_that_can_never_succeed_holds_up_its_own_stream_only(bench: Bench) -> None:
    handler = Picky("app_1", 2, ValueError("never"))
    bench.start(handler)
    await bench.publisher.send_all([("app_1", 1), ("app_2", 1), ("app_1", 2), ("app_2", 2), ("app_1", 3), ("app_3", 1)])
    await bench.arrived(app_1=1, app_2=2, app_3=1)
    await bench.until(bench_parked(bench, ("app_1", 2, "failed"), ("app_1", 3, "behind")))
    await bench.publisher.send("app_1", 2, 4)
    async with bench.operator() as db:
        (failed, *_) = await parked_list(db, "rows")
        assert (failed.stream_version, failed.error) == (2, "ValueError: never")
        await parked_retry(db, "rows", failed.source, failed.place)
    await bench.until(lambda: attempts(bench, 2))
    handler.refusing = False
    async with bench.operator() as db:
        await parked_retry(db, "rows", failed.source, failed.place)
    await bench.arrived(app_1=4)
    assert await bench.applied() == {"app_1": [1, 2, 3, 4], "app_2": [1, 2], "app_3": [1]}
    await bench.until(bench_parked(bench))


async def parked_records(bench: Bench) -> list[ParkedRecord]:
    async with bench.operator() as db:
        return await parked_list(db, "rows")


async def attempts(bench: Bench, number: int) -> bool:
    found = await bench.pool.fetchval("SELECT attempts FROM latchkey.parked WHERE reason = 'failed' AND NOT wanted")
    return bool(found == number)


async def test_a_retry_behind_an_event_that_fails_again_is_over(bench: Bench) -> None:
    handler = Picky("app_1", 1, ValueError("never"))
    bench.start(handler)
    await bench.publisher.send("app_1", 1, 2)
    await bench.until(bench_parked(bench, ("app_1", 1, "failed"), ("app_1", 2, "behind")))
    async with bench.operator() as db:
        (_, behind) = await parked_list(db, "rows")
        await parked_retry(db, "rows", behind.source, behind.place)
    await bench.until(lambda: attempts(bench, 2))
    assert not any(record.wanted for record in await parked_records(bench))


async def test_a_discarded_event_lets_the_rest_of_its_stream_go_on(bench: Bench) -> None:
    bench.start(Picky("app_1", 2, ValueError("never")))
    await bench.publisher.send("app_1", 1, 2, 3)
    await bench.until(bench_parked(bench, ("app_1", 2, "failed"), ("app_1", 3, "behind")))
    async with bench.operator() as db:
        (failed, *_) = await parked_list(db, "rows")
        await parked_discard(db, "rows", failed.source, failed.place)
    await bench.arrived(app_1=3)
    assert await bench.applied() == {"app_1": [1, 3]}


async def test_discarding_what_waits_for_a_missing_version_does_not_give_that_up_too(bench: Bench) -> None:
    bench.start()
    await bench.publisher.send("app_1", 1, 3)
    await bench.until(bench_parked(bench, ("app_1", 3, "gap")))
    async with bench.operator() as db:
        [waiting] = await parked_list(db, "rows")
        with pytest.raises(NotParkedError, match="--without-missing"):
            await parked_discard(db, "rows", waiting.source, waiting.place)
    await bench.publisher.send("app_1", 2)
    await bench.arrived(app_1=3)
    assert await bench.applied() == {"app_1": [1, 2, 3]}


async def test_a_missing_version_can_be_given_up(bench: Bench) -> None:
    bench.start()
    await bench.publisher.send("app_1", 1, 4, 5)
    await bench.until(bench_parked(bench, ("app_1", 4, "gap"), ("app_1", 5, "behind")))
    async with bench.operator() as db:
        (first, *_) = await parked_list(db, "rows")
        await parked_retry(db, "rows", first.source, first.place, without_missing=True)
    await bench.arrived(app_1=5)
    assert await bench.applied() == {"app_1": [1, 4, 5]}


async def test_a_passing_error_holds_the_partition_back_and_parks_nothing(bench: Bench) -> None:
    handler = Picky("app_1", 1, NotYet("later"))
    consumer = bench.start(handler)
    await bench.publisher.send("app_1", 1, 2)
    await bench.until(lambda: handler.calls >= 3)
    assert await bench.parked() == []
    assert "later" in consumer.status.last_error
    await bench.until(lambda: consumer.status.age_seconds > 1)
    handler.refusing = False
    await bench.arrived(app_1=2)
    assert await bench.applied() == {"app_1": [1, 2]}


async def test_beyond_the_limit_the_consumer_waits_instead_of_parking(bench: Bench) -> None:
    consumer = bench.start(policy=replace(QUICK, max_parked=1))
    await bench.publisher.send("app_1", 2)
    await bench.until(bench_parked(bench, ("app_1", 2, "gap")))
    await bench.publisher.send("app_1", 3)
    await bench.until(lambda: "put 1 records aside" in consumer.status.last_error)
    assert len(await bench.parked()) == 1


async def test_waiting_for_a_version(bench: Bench) -> None:
    consumer = bench.start()
    waiting = asyncio.create_task(wait_for(bench.pool, "rows", "app_1", 2, 10))
    await bench.publisher.send("app_1", 1, 2)
    assert await waiting
    assert not await consumer.wait_for("app_1", 3, 0.05)


async def test_a_consumer_may_begin_with_what_comes_from_now_on(bench: Bench) -> None:
    await bench.publisher.send("app_1", 1)
    consumer = bench.start(policy=replace(QUICK, start=Start.END))
    await bench.until(lambda: len(consumer.status.lags) == 2)
    await bench.publisher.send("app_1", 2, 3)
    await bench.arrived(app_1=3)
    assert await bench.applied() == {"app_1": [2, 3]}


async def test_a_reactor_is_called_in_order_and_a_failing_reaction_is_parked(bench: Bench) -> None:
    heard: list[tuple[str, int]] = []

    async def on_disabled(event: Envelope) -> None:
        if event.subject == "app_2" and event.streamversion == 2:
            raise ValueError("cannot")
        heard.append((event.subject, event.streamversion))

    async def on_enabled(event: Envelope) -> None:
        raise AssertionError(event)

    consumer = bench.start(Reactor({AppDisabled: on_disabled, AppEnabled: on_enabled}))
    await bench.publisher.send_all([("app_1", 1), ("app_2", 1), ("app_2", 2), ("app_1", 2), ("app_2", 3), ("app_1", 1)])
    await bench.until(bench_parked(bench, ("app_2", 2, "failed"), ("app_2", 3, "behind")))
    await bench.until(lambda: consumer.status.duplicates == 1)
    assert sorted(heard) == [("app_1", 1), ("app_1", 2), ("app_2", 1)]
    assert heard.index(("app_1", 1)) < heard.index(("app_1", 2))


async def test_what_nobody_reacts_to_counts_as_done(bench: Bench) -> None:
    consumer = bench.start(Reactor({}))
    await bench.publisher.send_all([("app_1", 1), ("app_2", 1), ("app_1", 1)])
    await bench.until(lambda: consumer.status.applied == 2)
    async with bench.operator() as operator:
        seen = await operator.fetch("SELECT stream_id, last_version FROM latchkey.seen ORDER BY 1")
    assert [tuple(row) for row in seen] == [("app_1", 1), ("app_2", 1)]


async def test_a_reaction_that_says_later_is_called_again_and_never_put_aside(bench: Bench) -> None:
    class OutOfBreath(Exception):
        pass

    calls: list[int] = []

    async def react(event: Envelope) -> None:
        calls.append(event.streamversion)
        if len(calls) < 3:
            raise OutOfBreath

    bench.start(Reactor({AppDisabled: react}, later=(OutOfBreath,)))
    await bench.publisher.send("app_1", 1)
    await bench.until(lambda: len(calls) == 3)
    assert await bench.parked() == []
    assert calls == [1, 1, 1]


async def test_installing_twice_at_once_is_installing_once(bench: Bench) -> None:
    owners = [await asyncpg.connect(bench.database.owner) for _ in range(3)]
    try:
        await asyncio.gather(*(install(owner, "elsewhere") for owner in owners))
        await install(owners[0], "elsewhere")
        assert await owners[0].fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'elsewhere'") == 3
    finally:
        for owner in owners:
            await owner.close()


def test_a_topic_of_states_is_refused() -> None:
    with pytest.raises(ValueError, match="states"):
        Bench.consumer(_nowhere("registry.app.state.v1"))


def _nowhere(topic: str) -> Any:
    class Nowhere:
        publisher = type("Publisher", (), {"topic": topic, "bootstrap": "127.0.0.1:1"})
        pool, name = None, "nobody"

    return Nowhere


def test_the_default_policy_waits_longer_than_a_batch() -> None:
    assert Policy().revoke_seconds * 1000 < Policy().session_timeout_ms
