"""What is done with the events of others, with a span for each where spans are sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
from latchkey.consumer import Handler, Reaction
from latchkey.envelope import Envelope
from latchkey.events import PublicEvent

from shared.traces import Carried, carrying, is_traced


@dataclass(frozen=True)
class _Traced:
    handler: Handler

    async def apply(self, db: asyncpg.Connection, events: Sequence[Envelope]) -> None:
        """See Handler."""
        with carrying("CONSUMER", [_carried(event) for event in events]):
            await self.handler.apply(db, events)


def traced(handler: Handler) -> Handler:
    """The handler, with a span for each event that it is given."""
    return _Traced(handler) if is_traced() else handler


def traced_reactions(reactions: Mapping[type[PublicEvent], Reaction]) -> Mapping[type[PublicEvent], Reaction]:
    """The reactions, with a span for each."""

    def spanned(reaction: Reaction) -> Reaction:
        async def react(event: Envelope) -> Any:
            with carrying("CONSUMER", [_carried(event)]):
                return await reaction(event)

        return react

    return {kind: spanned(reaction) for kind, reaction in reactions.items()} if is_traced() else reactions


def _carried(event: Envelope) -> Carried:
    return event.type, event.id, event.traceparent
