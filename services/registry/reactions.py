"""What registry does when identity has spoken."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from latchkey.envelope import Envelope

from services.registry.commands.apps import AppCommands
from services.registry.queries import RegistryQueries
from shared.store.records import Context

AT_ONCE: Final = 1_000
"""Apps that are erased in one transaction; an append takes 5,000 events at most."""


class Reactions:
    """One method per foreign event. Each may be called again: what is already so is no event."""

    def __init__(self, commands: AppCommands, queries: RegistryQueries, now: Callable[[], datetime]) -> None:
        self._commands, self._queries, self._now = commands, queries, now

    async def on_account_erased(self, envelope: Envelope) -> None:
        """Archive the account's apps for good, make their contact data unreadable, end its subscriptions.

        What was registered while we looked is found when we look again: without a subscription nothing comes after that.
        """
        account_id = envelope.subject
        context = Context(account_id, account_id, self._now(), envelope.correlation_id, envelope.id, envelope.traceparent)
        found: Sequence[str] = await self._queries.list_app_ids(tenant=account_id)
        erased: set[str] = set()
        while True:
            for start in range(0, max(len(found), 1), AT_ONCE):
                await self._commands.erase_all(found[start : start + AT_ONCE], context)
            erased.update(found)
            found = [app_id for app_id in await self._queries.list_app_ids(tenant=account_id) if app_id not in erased]
            if not found:
                return
