"""What every event store promises, against memory and PostgreSQL."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from latchkey.events import PublicEvent

from shared.errors import IdempotencyKeyReused, PreconditionFailed, StreamMoved, SubjectErased
from shared.personal import ERASED
from shared.store.aggregates import BREATH, Aggregates, Part, decide_together
from shared.store.contract import DuplicateCommand, Store
from shared.store.freeze import Draft, Loaded, freeze
from shared.store.postgres import StoreSettings, forget_answers, open_store
from shared.store.records import Idempotency, Mail, State, Write, chain
from shared.wake import LocalWake
from stack.databases import Database
from tests.shared.contract.conftest import MASTER
from tests.shared.toy import (
    JAR,
    REFUSALS,
    STATE_TOPIC,
    Filled,
    Filling,
    Jar,
    JarEvent,
    Jars,
    Labelled,
    Labelling,
    LabelTaken,
    NoteWritten,
    Smashed,
    context,
)  # fmt: skip


def drafted(before: Loaded[Jar], *events: JarEvent) -> Draft[Jar]:
    return freeze(JAR, before, events, context(), {})


def write_of(draft: Draft[Jar], expected: int) -> Write:
    return Write(heads={draft.after.stream_id: expected}, rows=draft.rows, recorded=draft.recorded, unique=draft.unique)


async def test_what_was_appended_is_read_back_in_order(store: Store) -> None:
    jars = Aggregates(JAR, store)
    await jars.decide("jar_1", lambda _: [Labelled("plums"), Filled(2)], context())
    await jars.decide("jar_1", Filling(3), context())
    rows = await store.since({"jar_1": 0})
    assert [(found.row.version, found.row.type) for found in rows] == [(1, "toy.Labelled"), (2, "toy.Filled"), (3, "toy.Filled")]
    assert [found.row.public_version for found in rows] == [None, 1, 2]
    assert (await Aggregates(JAR, store).load("jar_1")).state == Jar("plums", 5)


async def test_a_stream_read_up_to_a_version_is_as_it_was_then(store: Store) -> None:
    jars = Aggregates(JAR, store)
    await jars.decide("jar_1", lambda _: [Filled(1), Filled(2), Filled(4)], context())
    assert (await jars.load_at("jar_1", 2)).state.count == 3


async def test_a_write_on_a_stream_that_moved_is_refused_and_leaves_nothing(store: Store) -> None:
    first, second = drafted(Loaded("jar_1", Jar()), Filled(1)), drafted(Loaded("jar_1", Jar()), Filled(9), Filled(9))
    await store.append(write_of(first, 0))
    with pytest.raises(StreamMoved):
        await store.append(write_of(second, 0))
    assert len(await store.since({"jar_1": 0})) == 1


async def test_a_write_over_two_streams_is_whole_or_nothing(store: Store) -> None:
    jars = Aggregates(JAR, store)
    await jars.decide("jar_1", Labelling("plums"), context())
    parts = [Part(jars, "jar_2", Filling(1)), Part(jars, "jar_3", Labelling("plums"))]
    with pytest.raises(LabelTaken):
        await decide_together(parts, context())
    assert await store.since({"jar_2": 0, "jar_3": 0}) == []


async def test_what_was_decided_on_must_not_have_moved_even_when_nothing_is_written_to_it(store: Store) -> None:
    relied = drafted(Loaded("jar_1", Jar()), Filled(1))
    await store.append(write_of(relied, 0))
    late = write_of(drafted(Loaded("jar_2", Jar()), Filled(1)), 0)
    with pytest.raises(StreamMoved):
        await store.append(replace(late, heads={"jar_1": 0, "jar_2": 0}))
    await store.append(replace(late, heads={"jar_1": 1, "jar_2": 0}))


async def test_of_many_that_rely_on_one_stream_only_those_that_know_its_end_are_written(store: Store) -> None:
    for label in ("plums", "pears"):
        await Aggregates(JAR, store).decide("jar_0", Labelling(label), context())
    late = [write_of(drafted(Loaded(f"jar_{n}", Jar()), Filled(1)), 0) for n in range(1, 9)]
    writes = [replace(write, heads={f"jar_{n}": 0, "jar_0": 1 + n % 2}, relies=frozenset({"a"})) for n, write in enumerate(late, 1)]
    done = await asyncio.gather(*(store.append(write) for write in writes), return_exceptions=True)
    assert [isinstance(refused, StreamMoved) for refused in done] == [n % 2 == 0 for n in range(1, 9)]
    assert len(await store.since({f"jar_{n}": 0 for n in range(1, 9)})) == 4


async def test_a_new_stream_is_not_asked_for_and_still_never_written_twice(store: Store) -> None:
    jars = Aggregates(JAR, store)
    await decide_together([Part(jars, "jar_1", Filling(1), new=True)], context())
    other = Aggregates(JAR, store)
    [decided] = await decide_together([Part(other, "jar_1", Filling(1), new=True)], context())
    assert (decided.version, decided.state.count) == (2, 2)


async def test_whoever_decides_on_very_many_lets_others_go_in_between(memory_store: Store) -> None:
    turns, seen = 0, set[int]()

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    def publish(event: JarEvent, jar: Jar) -> PublicEvent | None:
        seen.add(turns)
        return JAR.publish(event, jar)

    going = asyncio.create_task(others())
    jars = Aggregates(replace(JAR, publish=publish), memory_store)
    await decide_together([Part(jars, f"jar_{n}", Filling(1), new=True) for n in range(4 * BREATH)], context())
    going.cancel()
    assert len(seen) == 4


async def test_fifty_writers_on_one_stream_lose_nothing(store: Store) -> None:
    async def fill() -> bool:
        try:
            await Aggregates(JAR, store).decide("jar_1", Filling(1), context())
        except StreamMoved:
            return False
        return True

    done = await asyncio.gather(*(fill() for _ in range(50)))
    loaded = await Aggregates(JAR, store).load("jar_1")
    assert loaded.version == loaded.state.count == sum(done) >= 3


async def test_a_stale_if_match_is_refused_and_never_tried_again(store: Store) -> None:
    jars = Aggregates(JAR, store)
    await jars.decide("jar_1", Filling(1), context())
    asked: list[Jar] = []

    def decision(jar: Jar) -> list[JarEvent]:
        asked.append(jar)
        return [Filled(1)]

    with pytest.raises(PreconditionFailed):
        await jars.decide("jar_1", decision, context(expected=0))
    assert asked == []
    assert (await jars.decide("jar_1", decision, context(expected=1))).version == 2


async def test_a_second_command_with_the_same_key_gets_the_first_ones_answer(store: Store) -> None:
    jars = Aggregates(JAR, store)
    first = await jars.decide("jar_1", Filling(1), context("k1"), note=lambda: {"made": "x"})
    await jars.decide("jar_1", Filling(5), context())
    again = await jars.decide("jar_other", Filling(1), context("k1"), note=lambda: {"made": "y"})
    assert again == first._replace(replayed=True)
    assert (await jars.load("jar_1")).state.count == 6


async def test_a_command_that_appends_nothing_is_remembered_too(store: Store) -> None:
    jars = Aggregates(JAR, store)
    await jars.decide("jar_1", Labelling("plums"), context())
    await jars.decide("jar_1", Labelling("plums"), context("k1"))
    await jars.decide("jar_1", Labelling("pears"), context())
    assert (await jars.decide("jar_1", Labelling("plums"), context("k1"))).state.label == "plums"
    assert (await jars.load("jar_1")).state.label == "pears"


async def test_the_same_key_with_another_body_is_refused(store: Store) -> None:
    jars = Aggregates(JAR, store)
    await jars.decide("jar_1", Filling(1), context("k1"))
    with pytest.raises(IdempotencyKeyReused):
        await jars.decide("jar_1", Filling(2), context("k1", b"other"))


async def test_twenty_commands_with_one_key_have_one_effect(store: Store) -> None:
    answers = await asyncio.gather(*(Aggregates(JAR, store).decide(f"jar_{n}", Filling(1), context("k1")) for n in range(20)))
    assert len({answer.stream_id for answer in answers}) == 1
    assert sum(not answer.replayed for answer in answers) == 1
    assert len(await store.since({f"jar_{n}": 0 for n in range(20)})) == 1


async def test_presses_at_once_with_one_key_and_one_if_match_get_one_answer(store: Store) -> None:
    await Aggregates(JAR, store).decide("jar_1", Filling(1), context())
    presses = (Aggregates(JAR, store).decide("jar_1", Filling(2), context("k1", expected=1)) for _ in range(5))
    answers = await asyncio.gather(*presses)
    assert [answer.version for answer in answers] == [2] * 5
    assert sum(not answer.replayed for answer in answers) == 1


async def test_a_key_is_only_taken_by_a_success(store: Store) -> None:
    jars = Aggregates(JAR, store)
    await jars.decide("jar_1", Labelling("plums"), context())
    with pytest.raises(LabelTaken):
        await jars.decide("jar_2", Labelling("plums"), context("k1"))
    await jars.decide("jar_1", Labelling("pears"), context())
    retried = await jars.decide("jar_2", Labelling("plums"), context("k1"))
    assert (retried.replayed, retried.state.label) == (False, "plums")


async def test_a_duplicate_is_answered_even_when_its_decision_now_refuses(store: Store) -> None:
    jars = Aggregates(JAR, store)
    once = context("k1")
    await jars.decide("jar_1", Labelling("plums"), once)

    def refuses(_: Jar) -> list[JarEvent]:
        raise LabelTaken

    assert (await jars.decide("jar_1", refuses, once)).state.label == "plums"


@pytest.mark.stack
async def test_a_key_is_free_again_after_a_day(database: Database) -> None:
    async with open_store(StoreSettings(database.app, MASTER), [Jars()], REFUSALS, LocalWake()) as (store, pool):
        jars: Aggregates[Jar, JarEvent] = Aggregates(JAR, store)
        yesterday, today = datetime.now(UTC) - timedelta(hours=25), datetime.now(UTC) - timedelta(hours=23)
        await jars.decide("jar_1", Filling(1), context("k1", now=yesterday))
        await jars.decide("jar_2", Filling(1), context("k2", now=today))
        await forget_answers(pool)
        assert (await jars.decide("jar_3", Filling(1), context("k1"))).replayed is False
        assert (await jars.decide("jar_4", Filling(1), context("k2"))).stream_id == "jar_2"


async def test_a_raw_append_says_that_the_key_is_taken(store: Store) -> None:
    jars = Aggregates(JAR, store)
    await jars.decide("jar_1", Filling(1), context("k1"))
    answered = await store.answered(Idempotency("POST /jars acc_1", "k1", b"body"), wait=True)
    assert answered is not None
    again = replace(write_of(drafted(Loaded("jar_2", Jar()), Filled(1)), 0), idempotency=context("k1").idempotency, done=answered.done)
    with pytest.raises(DuplicateCommand):
        await store.append(again)


async def test_two_that_want_one_label_are_answered_one_yes_one_no(store: Store) -> None:
    results = await asyncio.gather(
        *(Aggregates(JAR, store).decide(f"jar_{n}", Labelling("plums"), context()) for n in range(8)), return_exceptions=True
    )
    assert sum(isinstance(result, LabelTaken) for result in results) == 7


async def test_a_personal_field_is_sealed_in_the_log_and_readable_until_it_is_shredded(store: Store) -> None:
    jars = Aggregates(JAR, store)
    await jars.decide("jar_1", lambda _: [NoteWritten("from grandmother")], context())
    [found] = await store.since({"jar_1": 0})
    assert "grandmother" not in found.row.data
    assert (await Aggregates(JAR, store).load("jar_1")).state.note == "from grandmother"
    await jars.decide("jar_1", lambda _: [Filled(1)], context(), shreds=["jar_1"])
    assert (await Aggregates(JAR, store).load("jar_1")).state.note == ERASED


async def test_nothing_personal_is_written_for_a_shredded_subject(store: Store) -> None:
    jars = Aggregates(JAR, store)
    await jars.decide("jar_1", lambda _: [NoteWritten("a")], context())
    await jars.decide("jar_1", lambda _: [Smashed()], context(), shreds=["jar_1"])
    with pytest.raises(SubjectErased):
        await Aggregates(JAR, store).decide("jar_1", lambda _: [NoteWritten("b")], context())
    assert (await jars.load("jar_1")).version == 2


@pytest.mark.parametrize("text", ["{}", '{"name":"東京の店 \\ud83d\\ude00 \U0001f600 \\"q\\" \x7f \u2028"}', "tab\t, newline\n, bell\x07"])
async def test_each_event_is_chained_to_the_one_before_it(store: Store, text: str) -> None:
    jars = Aggregates(replace(JAR, states=lambda _event, _jar, _version: [State(STATE_TOPIC, text)]), store)
    await jars.decide("jar_1", lambda _: [Filled(1), Filled(2)], context())
    await Aggregates(JAR, store).decide("jar_1", Filling(3), context(traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01"))
    previous = b""
    for found in await store.since({"jar_1": 0}):
        assert found.row.hash == chain(previous, found.row)
        previous = found.row.hash


async def test_a_mail_of_a_refused_command_is_never_sent(store: Store) -> None:
    jars = Aggregates(JAR, store)
    await jars.decide("jar_1", Labelling("plums"), context())
    with pytest.raises(LabelTaken):
        await jars.decide("jar_2", Labelling("plums"), context(), mails=lambda _: [Mail("m1", "a@b.example", "s", "b")])
    with pytest.raises(StreamMoved):  # the same mail id may be used again, because nothing of the first was kept
        await store.append(replace(write_of(drafted(Loaded("jar_1", Jar()), Filled(1)), 0), mails=[Mail("m1", "a@b.example", "s", "b")]))
