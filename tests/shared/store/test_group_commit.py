"""Group commit under bad company: poison, contention between two processes, and replay of what they left."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import asyncpg
import pytest

from shared.errors import Conflict, StreamMoved, Unavailable
from shared.store.aggregates import Aggregates, Part, decide_together
from shared.store.batch import LOOK_AHEAD, choose
from shared.store.contract import Store
from shared.store.freeze import Loaded, freeze
from shared.store.log import page
from shared.store.records import Meta, Recorded, Write
from stack.databases import Database
from tests.shared.contract.conftest import opened
from tests.shared.toy import JAR, Filled, Filling, Jar, JarEvent, Jars, Labelled, Labelling, context

NOBODY = Meta("", "", "")


def write_to(stream: str, *events: JarEvent, unique: frozenset[str] = frozenset()) -> Write:
    draft = freeze(JAR, Loaded(stream, Jar()), events, context(), {})
    return Write(heads={stream: 0}, rows=draft.rows, recorded=draft.recorded, unique=draft.unique | unique)


def test_writes_that_touch_the_same_thing_never_share_a_batch() -> None:
    first, same_stream, other = write_to("jar_1", Filled(1)), write_to("jar_1", Filled(2)), write_to("jar_2", Filled(1))
    same_label, key = write_to("jar_3", Labelled("plums")), replace(other, idempotency=context("k").idempotency)
    assert choose([first, same_stream, other]) == [first, other]
    assert choose([write_to("jar_4", Labelled("plums")), same_label, first])[1:] == [first]
    assert choose([key, replace(write_to("jar_5", Filled(1)), idempotency=context("k").idempotency)]) == [key]


def test_any_number_may_rely_on_what_none_of_them_changes() -> None:
    subscribed = write_to("jar_0", Filled(1), unique=frozenset({"owner:1"}))
    one, two = (replace(write_to(f"jar_{n}", Filled(1)), relies=frozenset({"owner:1"}), heads={f"jar_{n}": 0, "jar_0": 1}) for n in (1, 2))
    assert choose([one, two]) == [one, two]
    assert choose([one, subscribed, two]) == [one]
    assert choose([subscribed, one]) == [subscribed]
    assert choose([one, replace(write_to("jar_0", Filled(2)), heads={"jar_0": 1})]) == [one]


def test_a_write_never_overtakes_one_that_it_must_wait_for() -> None:
    a = write_to("jar_1", Filled(1))
    b = write_to("jar_1", Filled(2), unique=frozenset({"label:x"}))
    c = write_to("jar_2", Filled(3), unique=frozenset({"label:x"}))
    assert choose([a, b, c]) == [a]


def test_what_needs_a_subject_never_shares_a_batch_with_its_erasure() -> None:
    needs = replace(write_to("jar_1", Filled(1)), needs=frozenset({"acc_1"}))
    shreds = replace(write_to("jar_2", Filled(1)), shreds=frozenset({"acc_1"}))
    also_needs = replace(write_to("jar_3", Filled(1)), needs=frozenset({"acc_1"}))
    assert choose([needs, shreds, also_needs]) == [needs]
    assert choose([shreds, needs]) == [shreds]
    assert choose([needs, also_needs]) == [needs, also_needs]


def test_a_batch_is_bounded_but_always_takes_the_first() -> None:
    big = replace(write_to("jar_big", Filled(1)), rows=[*write_to("jar_big", Filled(1)).rows] * 6_000)
    assert choose([big, write_to("jar_2", Filled(1))]) == [big]
    assert len(choose([write_to(f"jar_{n}", Filled(1)) for n in range(LOOK_AHEAD + 9)])) == LOOK_AHEAD


@pytest.mark.stack
async def test_a_poisoned_command_among_fifty_good_ones_fails_alone(database: Database) -> None:
    async with opened(database) as store:
        jars: Aggregates[Jar, JarEvent] = Aggregates(JAR, store)
        tries = [jars.decide(f"jar_{n}", Filling(2**40 if n == 17 else 1), context()) for n in range(50)]
        results = await asyncio.gather(*tries, return_exceptions=True)
        failed = [n for n, result in enumerate(results) if isinstance(result, BaseException)]
        assert failed == [17]
        assert isinstance(results[17], asyncpg.DataError)
        assert len(await store.since({f"jar_{n}": 0 for n in range(50)})) == 49


async def _contend(store: Store, stream_prefix: str, labels: Sequence[str]) -> int:
    async def one(n: int) -> bool:
        jars: Aggregates[Jar, JarEvent] = Aggregates(JAR, store)
        wants = [Part(jars, f"{stream_prefix}_{n}_{k}", Labelling(label)) for k, label in enumerate((labels[n], labels[-1 - n]))]
        try:
            await decide_together(wants, context())
        except (Conflict, Unavailable):
            return False
        await jars.decide(wants[0].stream_id, lambda _: [Labelled(f"free {stream_prefix} {n}")], context())
        return True

    return sum(await asyncio.gather(*(one(n) for n in range(len(labels) // 2))))


@pytest.mark.stack
async def test_two_processes_whose_batches_want_each_others_labels_neither_deadlock_nor_fork(database: Database) -> None:
    labels = [f"label {n}" for n in range(40)]
    async with opened(database) as one, opened(database) as two:
        won = await asyncio.gather(_contend(one, "a", labels), _contend(two, "b", labels[::-1]))
    assert sum(won) >= 1
    await _replay_in_order(database)


async def _replay_in_order(database: Database) -> None:
    """A rebuild follows positions: it must meet no label that another jar still holds, and come out equal."""
    owner = await asyncpg.connect(database.owner)
    try:
        view = Jars()
        await owner.execute(view.tables("_v9") + ";" + view.indexes("_v9"))
        for found in await page(owner, 0, 2**40, 10_000):
            row = found.row
            event = JAR.registry.decode(row.type, row.schema_version, row.data, stream_id=row.stream_id, ciphers={})
            recorded = Recorded(row.stream_id, row.version, event, NOBODY, row.recorded_at, row.public_version)
            await view.apply(owner, "_v9", [recorded])
        different = "(TABLE jars_v1 EXCEPT TABLE jars_v9) UNION ALL (TABLE jars_v9 EXCEPT TABLE jars_v1)"
        assert await owner.fetch(different) == []
    finally:
        await owner.close()


@pytest.mark.stack
async def test_a_label_given_up_and_taken_in_one_breath_replays_in_the_same_order(database: Database) -> None:
    async with opened(database) as one, opened(database) as two:
        holder: Aggregates[Jar, JarEvent] = Aggregates(JAR, one)
        await holder.decide("jar_1", Labelling("plums"), context())

        async def take(n: int) -> None:
            for _ in range(60):
                try:
                    await Aggregates(JAR, two).decide(f"jar_taker_{n}", Labelling("plums"), context())
                except Conflict:
                    await asyncio.sleep(0)
                else:
                    return

        await asyncio.gather(take(1), holder.decide("jar_1", Labelling("pears"), context()), take(2))
    await _replay_in_order(database)


@pytest.mark.stack
async def test_one_key_in_two_processes_has_one_effect(database: Database) -> None:
    async with opened(database) as one, opened(database) as two:
        for n in range(15):
            answers = await asyncio.gather(
                *(Aggregates(JAR, store).decide(f"jar_{n}_{at}", Filling(1), context(f"k{n}")) for at, store in enumerate((one, two)))
            )
            assert answers[0].stream_id == answers[1].stream_id
            assert sorted(answer.replayed for answer in answers) == [False, True]


@pytest.mark.stack
async def test_a_stream_written_by_two_processes_is_never_forked(database: Database) -> None:
    async with opened(database) as one, opened(database) as two:

        async def fill(store: Store) -> int:
            done = 0
            jars: Aggregates[Jar, JarEvent] = Aggregates(JAR, store)
            for _ in range(20):
                try:
                    await jars.decide("jar_1", Filling(1), context())
                except StreamMoved:
                    continue
                done += 1
            return done

        done = await asyncio.gather(fill(one), fill(two), fill(one))
        rows = await one.since({"jar_1": 0})
    assert [found.row.version for found in rows] == list(range(1, sum(done) + 1))
