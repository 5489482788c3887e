"""A toy service for the suites of `shared`: jars that hold a unique label, a count and a personal note."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, assert_never

import asyncpg
from latchkey.events import PublicEvent
from latchkey.events.registry import AppDisabled

from shared.errors import Conflict
from shared.events import EventRegistry
from shared.personal import Erased, Personal, readable
from shared.store.freeze import AggregateType
from shared.store.records import Context, Idempotency, Recorded, State

STATE_TOPIC = "registry.app.state.v1"
NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
NO_MIGRATIONS = Path(__file__).parent / "no_migrations"


class LabelTaken(Conflict):
    code = "toy.label_taken"
    title = "Another jar has this label."


@dataclass(frozen=True, slots=True)
class Labelled:
    label: str


@dataclass(frozen=True, slots=True)
class Filled:
    amount: int


@dataclass(frozen=True, slots=True)
class NoteWritten:
    note: Personal[str]


@dataclass(frozen=True, slots=True)
class Smashed:
    pass


JarEvent = Labelled | Filled | NoteWritten | Smashed
STORED: dict[str, tuple[type[Any], int]] = {
    "toy.Labelled": (Labelled, 1),
    "toy.Filled": (Filled, 1),
    "toy.NoteWritten": (NoteWritten, 1),
    "toy.Smashed": (Smashed, 1),
}


@dataclass(frozen=True, slots=True)
class Jar:
    label: str | None = None
    count: int = 0
    note: str | Erased | None = None


def evolve(jar: Jar, event: JarEvent) -> Jar:
    match event:
        case Labelled(label):
            return replace(jar, label=label)
        case Filled(amount):
            return replace(jar, count=jar.count + amount)
        case NoteWritten(note):
            return replace(jar, note=note)
        case Smashed():
            return Jar()
        case _:
            assert_never(event)


def unique(jar: Jar, event: JarEvent) -> Iterable[str]:
    match event:
        case Labelled(label):
            return [value for value in (jar.label, label) if value]
        case Smashed():
            return [jar.label] if jar.label else []
        case _:
            return []


def publish(event: JarEvent, jar: Jar) -> PublicEvent | None:
    """Filled jars are announced, under a name that consumers know."""
    return AppDisabled(app_id=jar.label or "nobody", owner_id="acc_1") if isinstance(event, Filled) else None


def states(event: JarEvent, jar: Jar, streamversion: int) -> Sequence[State]:
    if not isinstance(event, Filled):
        return []
    return [State(STATE_TOPIC, f'{{"streamversion":{streamversion},"count":{jar.count}}}')]


REGISTRY: EventRegistry[JarEvent] = EventRegistry(STORED)
JAR: AggregateType[Jar, JarEvent] = AggregateType(
    "jar", "/toy", REGISTRY, lambda _: Jar(), evolve, publish=publish, states=states, unique=unique
)


def filling(amount: int) -> "Filling":
    return Filling(amount)


@dataclass(frozen=True)
class Filling:
    """The decision to put something into a jar."""

    amount: int

    def __call__(self, _jar: Jar) -> list[JarEvent]:
        return [Filled(self.amount)]


@dataclass(frozen=True)
class Labelling:
    """The decision to give a jar a label; the label it has already is no event."""

    label: str

    def __call__(self, jar: Jar) -> list[JarEvent]:
        return [] if jar.label == self.label else [Labelled(self.label)]


def context(key: str | None = None, body: bytes = b"body", **changes: Any) -> Context:
    idempotency = Idempotency("POST /jars acc_1", key, body) if key else None
    return replace(Context("acc_1", "acc_1", NOW, "corr_1", idempotency=idempotency), **changes)


class Jars:
    """The toy's one inline view."""

    name: ClassVar[str] = "jars"
    shape: ClassVar[int] = 1
    names: ClassVar[Sequence[str]] = ("jars",)

    def tables(self, suffix: str) -> str:
        return f"CREATE TABLE jars{suffix} (jar_id text PRIMARY KEY, label text, count int NOT NULL, note text, version int NOT NULL)"

    def indexes(self, suffix: str) -> str:
        return f"CREATE UNIQUE INDEX jars{suffix}_label ON jars{suffix} (label)"

    async def apply(self, db: asyncpg.Connection, suffix: str, events: Sequence[Recorded[JarEvent]]) -> None:
        for recorded in events:
            change = _change(recorded.event)
            await db.execute(
                f"""INSERT INTO jars{suffix} AS jar VALUES ($1, $2, $3, $4, $5) ON CONFLICT (jar_id) DO UPDATE SET
                    label = CASE WHEN $6 THEN NULL ELSE coalesce($2, jar.label) END, count = CASE WHEN $6 THEN 0 ELSE jar.count + $3 END,
                    note = CASE WHEN $6 THEN NULL ELSE coalesce($4, jar.note) END, version = $5""",
                recorded.stream_id, change[0], change[1], change[2], recorded.version, isinstance(recorded.event, Smashed),
            )  # fmt: skip


def _change(event: JarEvent) -> tuple[str | None, int, str | None]:
    match event:
        case Labelled(label):
            return label, 0, None
        case Filled(amount):
            return None, amount, None
        case NoteWritten(note):
            return None, 0, readable(note)
        case Smashed():
            return None, 0, None
        case _:
            assert_never(event)


REFUSALS = {"jars_label": LabelTaken}
