"""What every event store promises, whatever it is made of; `tests/shared/contract` holds the suite that both of ours pass."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

from shared.sealing import Cipher
from shared.store.records import Answered, Idempotency, Positioned, Write


class DuplicateCommand(Exception):
    """Nothing was written: a command with this Idempotency-Key was committed before."""


class Store(Protocol):
    """An append-only log of streams with optimistic concurrency.

    `lost` holds the highest public version of streams of which a restored log lost events: numbers that are not given again.
    """

    lost: Mapping[str, int]

    async def since(self, versions: Mapping[str, int], *, up_to: int | None = None) -> Sequence[Positioned]:
        """The committed events of these streams above the version given for each (up to `up_to`, counted within the stream),
        ordered by stream and version."""

    async def append(self, write: Write) -> None:
        """Commit the whole write or nothing of it; it is durable when this returns.

        Raises StreamMoved when a stream is not at its expected version, DuplicateCommand when the Idempotency-Key is taken, SubjectErased
        when a needed key was shredded, a service's own refusal when a unique value is taken, Unavailable when it certainly was not done,
        and OutcomeUnknown when nobody can say.
        """

    async def answered(self, idempotency: Idempotency, *, wait: bool = False) -> Answered | None:
        """What was committed under this key; with `wait`, after any append that is under way with it has ended."""

    async def ciphers(self, subjects: Collection[str]) -> Mapping[str, Cipher | None]:
        """The keys of these subjects: None for one that was shredded, absent for one that never had a key."""

    def mint(self) -> tuple[Cipher, bytes]:
        """A new subject key and its wrapped form for `Write.mints`."""


class View(Protocol):
    """An inline read model: written in the transaction of the append, by the same code that rebuilds it.

    `suffix` (`_v3`) follows the name of each of its tables. `apply` is set-based: the events come in log order and hold events of every
    kind; it picks its own. Rows are written in the order of their primary key, so that two writers never deadlock. `tables` and
    `indexes` give the DDL: indexes are made last in a rebuild. `names` lists the tables without suffix; a SQL view of each plain name
    shows the active version, so queries never name a version. `shape` counts the changes of its columns.
    A view may have `wants`, the stored names of the event types that it picks: a rebuild then reads no others; and `grows_on`, those that
    make its rows: on a log with none of them a migration makes it, empty, where it would otherwise ask for a rebuild.
    """

    @property
    def name(self) -> str: ...
    @property
    def shape(self) -> int: ...
    @property
    def names(self) -> Sequence[str]: ...
    def tables(self, suffix: str) -> str:
        """The statements that make its empty tables, each name ending in the suffix."""

    def indexes(self, suffix: str) -> str:
        """The statements that make what a rebuild leaves out until the rows are there."""

    async def apply(self, db: Any, suffix: str, events: Sequence[Any]) -> None:
        """Write the events' rows, in order, in the caller's transaction; the same events again change nothing."""
