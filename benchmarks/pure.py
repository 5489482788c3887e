"""The pure hot code without its surroundings: what a request or a record costs before any socket or disk."""

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from latchkey.directory import Directory
from latchkey.envelope import decode, splice
from latchkey.keyformat import Environment, Kind, key_digest, make_key
from latchkey.rings import PairRecord, PairStatus, RingRecord

from services.metrics.commands import Told, TransactionCommands
from services.metrics.domain import refusals, transaction
from services.metrics.domain.events import STORED, RefusalEvent, TransactionEvent
from services.metrics.domain.refusals import Refusals
from services.metrics.domain.statuses import Status
from services.metrics.domain.transaction import Details, Key, Transaction
from services.metrics.publications import publish
from shared.events import EventRegistry
from shared.store.aggregates import Aggregates
from shared.store.freeze import AggregateType
from shared.store.memory import MemoryStore
from shared.store.records import Context, Positioned, Row, Write

LOOP = "a plain loop"
NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
KEYS = 1_000


def paths() -> Mapping[str, Callable[[], object]]:
    """Each by its name; a call does it once. The loop is what the others are shares of."""
    bound = _judging(allowed_ips=frozenset({"192.0.2.0/24"}))
    judging = {"judge a key": _judging(), "judge a key bound to addresses": bound}
    return {LOOP: _loop, **judging, "record a transaction": _recording(), "read an event of Kafka": _reading()}


def _loop() -> object:
    return json.dumps({str(number): sorted(str(number)) for number in range(20)})


def _judging(**rules: Any) -> Callable[[], object]:
    directory = Directory()
    for number in range(KEYS):
        directory.put(ring(number, **rules))
    text = key(Kind.SECRET, KEYS // 2)

    def call() -> object:
        entry = directory.look_up(text)
        return entry and entry.judged(lambda: NOW, origin=None, ip="192.0.2.1", scope=None)

    return call


class _Forgetful(MemoryStore):
    """Takes every write and has nothing to say of any: what the store costs is not what is counted."""

    last: Sequence[Row] = ()

    async def since(self, _versions: Mapping[str, int], *, up_to: int | None = None) -> Sequence[Positioned]:  # noqa: ARG002  # nothing is there
        return ()

    async def append(self, write: Write) -> None:
        self.last = write.rows


def _recorder() -> tuple[Callable[[], object], _Forgetful]:
    store, serial = _Forgetful(), itertools.count()
    events: EventRegistry[TransactionEvent | RefusalEvent] = EventRegistry(STORED)
    # As in the service's wiring, which is not imported: what it pulls in takes Valgrind minutes.
    recorded = AggregateType("transaction", "/metrics", events, lambda _: Transaction(), transaction.evolve, publish=publish)
    refused = AggregateType("refusals", "/metrics", events, lambda _: Refusals(), refusals.evolve)
    commands = TransactionCommands(Aggregates(recorded, store), Aggregates(refused, store), bytes(32))
    by, who = Key("app_1", "live", "kp_1", "ln_1", "acc_1", secret=True), Context("acc_1", "acc_1", NOW, "req_1")

    def call() -> object:
        name = f"order-{next(serial)}"
        fields = {"transaction_id": name, "amount": "29.30", "currency": "USD", "status": "succeeded"}
        recording = commands.record([Told(fields, Details(name, "29.30", "USD", Status.SUCCEEDED))], by, who)
        try:
            recording.send(None)
        except StopIteration as done:
            return done.value
        raise RuntimeError("a store without a socket is never waited for")

    return call, store


def _recording() -> Callable[[], object]:
    return _recorder()[0]


def _reading() -> Callable[[], object]:
    record, store = _recorder()
    record()
    frozen = store.last[0].public
    if frozen is None:
        raise RuntimeError("a recorded transaction is announced")
    raw = splice(frozen, 1)
    return lambda: decode(raw)


def key(kind: Kind, number: int) -> str:
    """The same key for the same number."""
    return make_key(kind, Environment.LIVE, sha256(f"{kind} {number}".encode()).digest())


def ring(number: int, **rules: Any) -> RingRecord:
    """A keyring of one active pair with these rules, whose keys are `key` of this number."""
    name = sha256(str(number).encode()).hexdigest()[:22]
    digests = key_digest(key(Kind.PUBLIC, number)), key_digest(key(Kind.SECRET, number))
    pair = PairRecord(f"kr_{name}", f"kp_{name}", f"app_{name}", f"acc_{name}", Environment.LIVE, *digests, PairStatus.ACTIVE, f"kl_{name}")
    return RingRecord(pair.ring_id, 1, (replace(pair, **rules),))
