"""What a consumer is given to do: a handler that writes rows, or a reactor that makes something happen."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import asyncpg

from latchkey.consumer.faults import NotYet
from latchkey.envelope import Envelope
from latchkey.events import PublicEvent

Reaction = Callable[[Envelope], Awaitable[object]]


class Handler(Protocol):
    """Turns events into rows, with SQL on `db` and nothing else: the effect is exactly once because it commits with the checkpoint.

    `events` come in the order of their streams, each with `data`, none twice. A handler should write sets, not rows one by one.
    It raises to refuse; it may be called again with the same events after a rollback, so it keeps nothing in memory.
    """

    async def apply(self, db: asyncpg.Connection, events: Sequence[Envelope]) -> None:
        """Write the effect of `events` in the transaction that is open on `db`."""


class Reactor:
    """Calls one coroutine per event of the given classes; events of other classes pass by.

    A reaction runs *outside* the checkpoint's transaction, because it is a command with a transaction of its own. It is called
    at least once: a crash between the two calls it again, so it must be idempotent, which a command is that remembers the stream
    and version it acted on (`envelope.subject`, `envelope.streamversion`). A reactor is never replayed: it has no version to
    rebuild, and a topic that is made anew calls it only for versions it has not seen.

    `later` are the exceptions of a reaction that say "not now" of themselves, beside those of the database and the network: the
    partition waits and the reaction is called again, where any other exception puts the event aside.
    """

    def __init__(self, reactions: Mapping[type[PublicEvent], Reaction], *, later: tuple[type[Exception], ...] = ()) -> None:
        self._reactions, self._later = dict(reactions), later

    def reacts_to(self, event: Envelope) -> bool:
        """Whether there is a reaction to events of this class."""
        return type(event.data) in self._reactions

    async def react(self, event: Envelope) -> None:
        """Call the reaction to this event, when there is one. Raises what it raises, and NotYet for what is to be tried later."""
        reaction = self._reactions.get(type(event.data)) if event.data is not None else None
        if reaction is not None:
            try:
                await reaction(event)
            except self._later as error:
                raise NotYet(f"{type(error).__name__}: {error}") from error
