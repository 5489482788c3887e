"""Load, decide, append: the one way from a command to the log."""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, TypeVar

from shared.errors import IdempotencyKeyReused, OutcomeUnknown, PreconditionFailed, Refusal, StreamMoved, SubjectErased
from shared.sealing import Cipher
from shared.store.contract import DuplicateCommand, Store
from shared.store.freeze import AggregateType, Draft, Loaded, freeze
from shared.store.records import Context, Done, Mail, Positioned, Write

S = TypeVar("S")
E = TypeVar("E")
TRIES = 3
BREATH = 32  # streams, some 2 ms: who decides on very many at once lets others go in between
Note = Callable[[], Mapping[str, Any]]


class Decided(NamedTuple, Generic[S]):
    """The answer to a command: the stream's state and versions after it.

    `replayed` says that it is the answer of an earlier command with the same Idempotency-Key, folded again at the version that one
    left; `note` is what that first one noted.
    """

    stream_id: str
    state: S
    version: int
    public_version: int
    replayed: bool
    note: Mapping[str, Any]


class Aggregates(Generic[S, E]):
    """All streams of one kind. Keeps the latest states in a bounded cache, topped up from the log whenever that could matter."""

    def __init__(self, kind: AggregateType[S, E], store: Store, *, cached: int = 10_000) -> None:
        self.kind, self.store = kind, store
        self._cached, self._cache = cached, OrderedDict[str, Loaded[S]]()

    async def decide(
        self, stream_id: str, decision: Callable[[S], Sequence[E]], context: Context, *, note: Note = dict,
        mails: Callable[[S], Sequence[Mail]] = lambda _state: (), shreds: Collection[str] = (),
    ) -> Decided[S]:  # fmt: skip
        """Decide on one stream and append what was decided; see `decide_together`. `mails` sees the state after the decision."""
        parts = [Part(self, stream_id, decision)]
        together = await decide_together(parts, context, note=note, mails=lambda states: mails(states[0]), shreds=shreds)
        first: Decided[S] = together[0]
        return first

    async def load(self, stream_id: str) -> Loaded[S]:
        """The stream as the log has it now; version 0 when it has no events."""
        return (await self.load_all([stream_id]))[stream_id]

    async def load_all(self, stream_ids: Collection[str]) -> dict[str, Loaded[S]]:
        """Several streams in one read."""
        known = {stream_id: self.cached(stream_id) or self.blank(stream_id) for stream_id in stream_ids}
        rows = await self.store.since({stream_id: loaded.version for stream_id, loaded in known.items()})
        ciphers = await self._ciphers_for(rows)
        for found in rows:
            known[found.row.stream_id] = self._evolved(known[found.row.stream_id], found, ciphers)
        for loaded in known.values():
            if loaded.version:  # that a stream has no events is not worth a place
                self.remember(loaded)
        return known

    async def load_at(self, stream_id: str, version: int) -> Loaded[S]:
        """The stream as it stood right after its event number `version`."""
        rows = await self.store.since({stream_id: 0}, up_to=version)
        ciphers = await self._ciphers_for(rows)
        loaded = self.blank(stream_id)
        for found in rows:
            loaded = self._evolved(loaded, found, ciphers)
        return loaded

    def cached(self, stream_id: str) -> Loaded[S] | None:
        """The stream as this process last saw it; others may have written since."""
        return self._cache.get(stream_id)

    def remember(self, loaded: Loaded[S]) -> None:
        """Keep a state for the next decision, unless a later one is kept; the one unused for longest makes room."""
        kept = self._cache.get(loaded.stream_id)
        if kept is None or kept.version <= loaded.version:
            self._cache[loaded.stream_id] = loaded
        if kept is not None:
            self._cache.move_to_end(loaded.stream_id)
        elif len(self._cache) > self._cached:
            self._cache.popitem(last=False)

    def forget(self, stream_id: str) -> None:
        """Read the stream from its start the next time."""
        self._cache.pop(stream_id, None)

    def subjects(self, stream_id: str, events: Sequence[E]) -> set[str]:
        """Whose keys are needed to store these events."""
        return {self.kind.subject(stream_id, event) for event in events if self.kind.registry.is_personal(event)}

    def blank(self, stream_id: str) -> Loaded[S]:
        """A stream without events."""
        return Loaded(stream_id, self.kind.initial(stream_id), public_version=self.store.lost.get(stream_id, 0))

    def _evolved(self, loaded: Loaded[S], found: Positioned, ciphers: Mapping[str, Cipher | None]) -> Loaded[S]:
        row = found.row
        event: E = self.kind.registry.decode(row.type, row.schema_version, row.data, stream_id=row.stream_id, ciphers=ciphers)
        state = self.kind.evolve(loaded.state, event)
        return Loaded(row.stream_id, state, row.version, max(row.public_version or 0, loaded.public_version), row.hash)

    async def _ciphers_for(self, rows: Sequence[Positioned]) -> Mapping[str, Cipher | None]:
        subjects = {subject for found in rows for subject in self.kind.registry.subjects(found.row.type, found.row.data)}
        return await self.store.ciphers(subjects) if subjects else {}


class Part(NamedTuple, Generic[S, E]):
    """One stream's share in a decision over several. `new`: its id was made just now, so the log is not asked about it."""

    of: Aggregates[S, E]
    stream_id: str
    decision: Callable[[S], Sequence[E]]
    new: bool = False

    def known(self) -> Loaded[S] | None:
        """The stream as far as this process knows it without asking the log."""
        return self.of.cached(self.stream_id) or (self.of.blank(self.stream_id) if self.new else None)


@dataclass(frozen=True, slots=True)
class _Extras:
    note: Note
    mails: Callable[[Sequence[Any]], Sequence[Mail]]
    shreds: Collection[str]


async def decide_together(
    parts: Sequence[Part[Any, Any]], context: Context, *, note: Note = dict,
    mails: Callable[[Sequence[Any]], Sequence[Mail]] = lambda _states: (), shreds: Collection[str] = (),
) -> list[Decided[Any]]:  # fmt: skip
    """Decide on several streams and commit all of it or nothing; the streams are answered in the order of `parts`.

    A decision is made again, at most three times, when another writer was faster; with `context.expected` (about the first part)
    it never is: PreconditionFailed. Raises what a decision refuses, StreamMoved after the third try, and what `Store.append` raises.
    With an Idempotency-Key the first command's answer is given again, also instead of a refusal; another body raises IdempotencyKeyReused.
    """
    replayed = await _replayed(parts, context)
    if replayed:
        return replayed
    extras = _Extras(note, mails, shreds)
    for _ in range(TRIES):
        try:
            return await _try(parts, context, extras)
        except DuplicateCommand:
            refusal: Refusal | None = None
        except StreamMoved:
            refusal = None if context.expected is None else PreconditionFailed()
        except Refusal as refused:
            refusal = refused
        try:
            replayed = await _replayed(parts, context, wait=True)
        except Exception as error:
            if isinstance(refusal, OutcomeUnknown):  # the database is away: what was unknown must not be told as a failure
                raise refusal from error
            raise
        if replayed:
            return replayed
        if refusal:
            raise refusal
        parts = [part._replace(new=False) for part in parts]
    raise StreamMoved


async def _try(parts: Sequence[Part[Any, Any]], context: Context, extras: _Extras) -> list[Decided[Any]]:
    """One attempt, first on what is cached: an append proves that it was current, since it names the versions that it was decided on.

    Where nothing would be appended there is no such proof, so a refusal or "already so" is decided again on what the log says.
    """
    cached = [before for part in parts if (before := part.known())]
    if len(cached) == len(parts):
        decided: list[Sequence[Any]] = []
        with contextlib.suppress(Refusal):
            decided = _decide(parts, cached, context)
        if any(decided):
            return await _commit(parts, cached, decided, context, extras)
    loaded = await _load(parts)
    return await _commit(parts, loaded, _decide(parts, loaded, context), context, extras)


def _decide(parts: Sequence[Part[Any, Any]], loaded: Sequence[Loaded[Any]], context: Context) -> list[Sequence[Any]]:
    if context.expected is not None and loaded[0].version != context.expected:
        raise PreconditionFailed
    return [part.decision(before.state) for part, before in zip(parts, loaded, strict=True)]


async def _commit(
    parts: Sequence[Part[Any, Any]], loaded: Sequence[Loaded[Any]], decided: Sequence[Sequence[Any]], context: Context, extras: _Extras
) -> list[Decided[Any]]:
    ciphers, mints = await _keys(parts, decided)
    drafts: list[Draft[Any]] = []
    for part, before, events in zip(parts, loaded, decided, strict=True):
        drafts.append(freeze(part.of.kind, before, events, context, ciphers))
        if len(drafts) % BREATH == 0:
            await asyncio.sleep(0)
    write = _write(drafts, loaded, context, extras, frozenset(ciphers) - mints.keys(), mints)
    if write.rows or write.idempotency or write.mails or write.shreds:
        await _append(parts, write)
    for part, draft in zip(parts, drafts, strict=True):
        part.of.remember(draft.after)
    note = write.done.note if write.done else extras.note()
    return [Decided(at.stream_id, at.state, at.version, at.public_version, False, note) for at in (draft.after for draft in drafts)]


async def _append(parts: Sequence[Part[Any, Any]], write: Write) -> None:
    try:
        await parts[0].of.store.append(write)
    except BaseException:
        for part in parts:  # what is cached may be older than the log, or the write may have happened after all
            part.of.forget(part.stream_id)
        raise


def _write(
    drafts: Sequence[Draft[Any]], loaded: Sequence[Loaded[Any]], context: Context, extras: _Extras, needs: frozenset[str],
    mints: Mapping[str, bytes],
) -> Write:  # fmt: skip
    done = None
    if context.idempotency:
        done = Done(tuple((d.after.stream_id, d.after.version, d.after.public_version) for d in drafts), extras.note(), context.now)
    rows = [row for draft in drafts for row in draft.rows]
    return Write(
        heads={before.stream_id: before.version for before in loaded} if rows else {},
        rows=rows,
        recorded=[recorded for draft in drafts for recorded in draft.recorded],
        unique=frozenset().union(*(draft.unique for draft in drafts)),
        relies=frozenset().union(*(draft.relies for draft in drafts)),
        idempotency=context.idempotency,
        done=done,
        mails=extras.mails([draft.after.state for draft in drafts]),
        needs=needs,
        mints=mints,
        shreds=frozenset(extras.shreds),
    )


async def _load(parts: Sequence[Part[Any, Any]]) -> list[Loaded[Any]]:
    by_kind: dict[int, tuple[Aggregates[Any, Any], list[str]]] = {}
    for part in parts:
        by_kind.setdefault(id(part.of), (part.of, []))[1].append(part.stream_id)
    found: dict[str, Loaded[Any]] = {}
    for aggregates, stream_ids in by_kind.values():
        found |= await aggregates.load_all(stream_ids)
    return [found[part.stream_id] for part in parts]


async def _keys(parts: Sequence[Part[Any, Any]], decided: Sequence[Sequence[Any]]) -> tuple[dict[str, Cipher], dict[str, bytes]]:
    subjects: set[str] = set()
    for part, events in zip(parts, decided, strict=True):
        subjects |= part.of.subjects(part.stream_id, events)
    if not subjects:
        return {}, {}
    store = parts[0].of.store
    known = await store.ciphers(asked) if (asked := subjects - {part.stream_id for part in parts if part.new}) else {}
    ciphers: dict[str, Cipher] = {}
    mints: dict[str, bytes] = {}
    for subject in subjects:
        cipher = known.get(subject)
        if cipher is None and subject in known:
            raise SubjectErased
        if cipher is None:
            cipher, mints[subject] = store.mint()
        ciphers[subject] = cipher
    return ciphers, mints


async def _replayed(parts: Sequence[Part[Any, Any]], context: Context, *, wait: bool = False) -> list[Decided[Any]] | None:
    if context.idempotency is None:
        return None
    answered = await parts[0].of.store.answered(context.idempotency, wait=wait)
    if answered is None:
        return None
    if answered.body_hmac != context.idempotency.body_hmac:
        raise IdempotencyKeyReused
    done = answered.done
    return [
        Decided(stream_id, (await part.of.load_at(stream_id, version)).state, version, public_version, True, done.note)
        for part, (stream_id, version, public_version) in zip(parts, done.streams, strict=True)
    ]
