"""What registry can be told about an app's domains. One method, one decision, one transaction."""

import secrets
from collections.abc import Collection
from functools import partial
from typing import Protocol

from services.registry.commands.apps import require_owner
from services.registry.domain import domains
from services.registry.domain.app import App
from services.registry.domain.events import AppEvent
from services.registry.domain.hostnames import challenge
from shared.store.aggregates import Aggregates, Decided
from shared.store.records import Context


class TextRecords(Protocol):
    """What the domain name system says."""

    async def texts(self, name: str) -> Collection[str]:
        """The TXT records of a name, none when there is no such name. Raises DnsUnavailable when nobody could be asked."""


class DomainCommands:
    """Domains of apps, on behalf of the context's tenant: the app of another one is not found."""

    def __init__(self, apps_: Aggregates[App, AppEvent], records: TextRecords) -> None:
        self._apps, self._records = apps_, records

    async def add(self, app_id: str, domain: str, context: Context) -> Decided[App]:
        await require_owner(self._apps, app_id, context)
        add = partial(domains.add, given=domain, proof=secrets.token_hex(16), added_at=context.now)
        return await self._apps.decide(app_id, add, context)

    async def verify(self, app_id: str, domain: str, context: Context) -> Decided[App]:
        """Ask for the domain's TXT records and decide on what they hold; a domain that is proven is not asked about again."""
        await require_owner(self._apps, app_id, context)
        pending = domains.named((await self._apps.load(app_id)).state, domain)
        found = () if pending.verified_at else await self._records.texts(challenge(pending.name))
        return await self._apps.decide(app_id, partial(domains.verify, given=domain, found=found, verified_at=context.now), context)

    async def remove(self, app_id: str, domain: str, context: Context) -> Decided[App]:
        await require_owner(self._apps, app_id, context)
        return await self._apps.decide(app_id, partial(domains.remove, given=domain), context)
