"""From decided events to rows: encoded, published, chained and frozen once, so that nothing is ever encoded again."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from json.encoder import encode_basestring as quote
from typing import Any, Generic, NamedTuple, TypeVar

from latchkey.envelope import encode
from latchkey.events import PublicEvent
from pydantic_core import to_json

from shared.errors import TooLarge
from shared.events import EventRegistry
from shared.sealing import Cipher
from shared.store.records import Context, Meta, Recorded, Row, State, digest

S = TypeVar("S")
E = TypeVar("E")
PUBLIC_LIMIT = 256 * 1024  # bytes; what Kafka would refuse must never reach the relay


class PublicEventTooLarge(TooLarge):
    code = "event.too_large"
    title = "What this would announce is over 256 KiB."


@dataclass(frozen=True)
class AggregateType(Generic[S, E]):
    """Everything the store needs to know of one kind of stream; built in wiring, all functions pure.

    `publish(event, state)` gives the public event or None; `states(event, state, streamversion)` the compacted records after it, only
    ever beside a public event; `unique(state_before, event)` the unique values taken or given up, `relies(state_before, event)` those that
    must stay as they are meanwhile; `subject(stream_id, event)` whose key seals the event's personal fields. `state` is the state after
    the event.
    """

    name: str
    source: str
    registry: EventRegistry[Any]
    initial: Callable[[str], S]
    evolve: Callable[[S, E], S]
    publish: Callable[[E, S], PublicEvent | None] = lambda _event, _state: None
    states: Callable[[E, S, int], Sequence[State]] = lambda _event, _state, _streamversion: ()
    unique: Callable[[S, E], Iterable[str]] = lambda _state, _event: ()
    relies: Callable[[S, E], Iterable[str]] = lambda _state, _event: ()
    subject: Callable[[str, E], str] = lambda stream_id, _event: stream_id


class Loaded(NamedTuple, Generic[S]):
    """A stream as far as it was read: its state, both its versions and the hash of its last event."""

    stream_id: str
    state: S
    version: int = 0
    public_version: int = 0
    hash: bytes = b""


class Draft(NamedTuple, Generic[S]):
    """What one stream contributes to a write, and how the stream will stand after it."""

    after: Loaded[S]
    rows: list[Row]
    recorded: list[Recorded[Any]]
    unique: frozenset[str]
    relies: frozenset[str]


def freeze(kind: AggregateType[S, E], before: Loaded[S], events: Sequence[E], context: Context, ciphers: Mapping[str, Cipher]) -> Draft[S]:
    """Encode the events that follow `before`. Raises PublicEventTooLarge. `ciphers` holds the key of every subject needed."""
    at = before
    unique: set[str] = set()
    relies: set[str] = set()
    rows: list[Row] = []
    recorded: list[Recorded[Any]] = []
    meta, encoded = _stamp(context.actor, context.tenant, context.correlation_id, context.causation_id, context.traceparent)
    for event in events:
        unique.update(kind.unique(at.state, event))
        relies.update(kind.relies(at.state, event))
        state = kind.evolve(at.state, event)
        row = _row(kind, at, state, event, context, encoded, ciphers)
        public_version = row.public_version or at.public_version
        at = Loaded(at.stream_id, state, row.version, public_version, row.hash)
        rows.append(row)
        recorded.append(Recorded(at.stream_id, row.version, event, meta, context.now, row.public_version))
    return Draft(at, rows, recorded, frozenset(unique), frozenset(relies))


def _row(kind: AggregateType[S, E], at: Loaded[S], state: S, event: E, context: Context, meta: str, ciphers: Mapping[str, Cipher]) -> Row:
    version, streamversion = at.version + 1, at.public_version + 1
    subject = kind.subject(at.stream_id, event)
    name, schema, data = kind.registry.encode(event, stream_id=at.stream_id, subject=subject, cipher=ciphers.get(subject))
    public = kind.publish(event, state)
    frozen, states = None, None
    if public is not None:
        frozen = _encoded(kind, public, at.stream_id, streamversion, context)
        records = kind.states(event, state, streamversion)
        states = _states(records, at.stream_id) if records else None
    public_type, public_version = (public.event_type, streamversion) if public else (None, None)
    columns = (kind.name, at.stream_id, version, name, schema, data, frozen, public_type, public_version, states)
    return Row(*columns, digest(at.hash, columns, meta, context.now), meta, context.now)


def _states(records: Sequence[State], stream_id: str) -> str:
    """As PostgreSQL writes it back: the chain is verified over what is read. `json.dumps` builds an encoder each time, and took 5 µs."""
    if any(record.text is not None and len(record.text.encode()) > PUBLIC_LIMIT for record in records):
        raise PublicEventTooLarge
    each = (f"[{quote(topic)}, {quote(stream_id)}, {'null' if text is None else quote(text)}]" for topic, text in records)
    return f"[{', '.join(each)}]"


def _encoded(kind: AggregateType[S, E], public: PublicEvent, stream_id: str, streamversion: int, context: Context) -> bytes:
    frozen = encode(
        public, source=kind.source, stream_id=stream_id, streamversion=streamversion, time=context.now, tenant=context.tenant,
        correlation_id=context.correlation_id, causation_id=context.causation_id, traceparent=context.traceparent,
    )  # fmt: skip
    if len(frozen) > PUBLIC_LIMIT:
        raise PublicEventTooLarge
    return frozen


@lru_cache(maxsize=64)
def _stamp(actor: str, tenant: str, correlation_id: str, causation_id: str | None, traceparent: str | None) -> tuple[Meta, str]:
    """What is stored beside every event, and its JSON: the same for all streams of a command, so a batch makes it once."""
    meta = Meta(actor, tenant, correlation_id, causation_id, traceparent)
    fields = {name: getattr(meta, name) for name in Meta.__slots__}
    return meta, to_json({name: value for name, value in fields.items() if value is not None}).decode()
