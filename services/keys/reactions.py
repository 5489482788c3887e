"""What keys does when another service has spoken: one command a ring, each idempotent by the version that the ring remembers."""

from collections.abc import Mapping
from datetime import UTC, datetime

from latchkey.consumer import NotYet, Reaction
from latchkey.envelope import Envelope
from latchkey.events import PublicEvent, registry
from latchkey.events.identity import AccountErased

from services.keys.commands import KeyCommands
from services.keys.domain.apps import App
from services.keys.domain.events import SuspensionReason
from services.keys.domain.keyring import Standing
from services.keys.queries.whereabouts import Whereabouts
from shared.store.records import Context


class ViewParked(Exception):
    """What the reaction looks into cannot be had before an operator has dealt with it."""


class Reactions:
    """One method an event. Whoever reads a view waits until the event itself is in it: of two events that cross, one sees the other."""

    def __init__(self, commands: KeyCommands, whereabouts: Whereabouts) -> None:
        self._commands, self._whereabouts = commands, whereabouts

    def by_event(self) -> Mapping[type[PublicEvent], Reaction]:
        """Which event calls which reaction."""
        return {
            registry.AppRegistered: self.on_app_registered,
            registry.AppDisabled: self.on_app_disabled,
            registry.AppEnabled: self.on_app_enabled,
            registry.AppArchived: self.on_app_archived,
            registry.AppRestored: self.on_app_restored,
            registry.ServiceSubscribed: self.on_service_changed,
            registry.ServiceUnsubscribed: self.on_service_changed,
            AccountErased: self.on_account_erased,
        }

    async def on_app_registered(self, event: Envelope) -> None:
        """The app's rings follow the subscription that it lives under, and end with an account that is gone already."""
        data = event.data
        if isinstance(data, registry.AppRegistered):
            await self._in_view(event)
            app = App(data.app_id, data.owner_id, data.product_id)
            erased = await self._whereabouts.find_erasure(app.owner_id)
            for place in app.places():
                await self._commands.follow_subscription(app, place, _context(event))
                if erased:
                    await self._commands.erase(place, erased, _context(event))

    async def on_app_disabled(self, event: Envelope) -> None:
        """No key of the app works."""
        await self._stand(event, SuspensionReason.APP_DISABLED, suspends=True)

    async def on_app_enabled(self, event: Envelope) -> None:
        """The app's keys work again, unless there is another reason against it."""
        await self._stand(event, SuspensionReason.APP_DISABLED, suspends=False)

    async def on_app_archived(self, event: Envelope) -> None:
        """No key of the app works."""
        await self._stand(event, SuspensionReason.APP_ARCHIVED, suspends=True)

    async def on_app_restored(self, event: Envelope) -> None:
        """The app is what it was before: that it was disabled then is a reason of its own, which stays."""
        await self._stand(event, SuspensionReason.APP_ARCHIVED, suspends=False)

    async def on_service_changed(self, event: Envelope) -> None:
        """Every app under the product is turned off or on again."""
        data = event.data
        if isinstance(data, registry.ServiceSubscribed | registry.ServiceUnsubscribed):
            await self._in_view(event)
            for app in await self._whereabouts.list_apps_of(data.account_id, data.product_id):
                for place in app.places():
                    await self._commands.follow_subscription(app, place, _context(event))

    async def on_account_erased(self, event: Envelope) -> None:
        """Every pair of every app of the account is revoked."""
        await self._in_view(event)
        erased = Standing(SuspensionReason.ACCOUNT_ERASED, event.subject, event.streamversion, suspends=True)
        for app in await self._whereabouts.list_apps_of(event.subject):
            for place in app.places():
                await self._commands.erase(place, erased, _context(event))

    async def _stand(self, event: Envelope, reason: SuspensionReason, *, suspends: bool) -> None:
        data = event.data
        if isinstance(data, registry.AppEvent):
            standing = Standing(reason, event.subject, event.streamversion, suspends)
            for place in App(data.app_id, data.owner_id, "").places():
                await self._commands.stand(place, standing, _context(event))

    async def _in_view(self, event: Envelope) -> None:
        """Raises NotYet while the views are on their way, and ViewParked, which puts this event aside too, when they are not: it would
        otherwise hold up what other apps and accounts have said since, and their keys with it."""
        if not await self._whereabouts.arrived(event.subject, event.streamversion):
            if await self._whereabouts.is_parked(event.subject, event.streamversion):
                raise ViewParked(f"the foreign views put {event.subject} aside: try that again first, then this")
            raise NotYet


def _context(event: Envelope) -> Context:
    return Context("keys", event.tenant, datetime.now(UTC), event.correlation_id, event.id, event.traceparent)
