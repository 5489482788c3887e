"""What registry can be told about apps. One method, one decision, one transaction."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Protocol

from services.registry.commands.subscriptions import subscription_id
from services.registry.domain import app as apps
from services.registry.domain import logo
from services.registry.domain import subscription as subscriptions
from services.registry.domain.app import App
from services.registry.domain.catalog import LATCHKEY_PAY, PRODUCTS
from services.registry.domain.details import Given
from services.registry.domain.errors import NameTaken, NameTakenMeanwhile
from services.registry.domain.events import AppEvent, SubscriptionEvent
from services.registry.domain.subscription import Subscription
from shared.errors import FieldError, NotFound, Refusal
from shared.ids import is_id, new_id
from shared.store.aggregates import Aggregates, Decided, Part, decide_together
from shared.store.records import Context

Decision = Callable[[App], Sequence[AppEvent]]


class LogoShelf(Protocol):
    """Where the pictures are kept."""

    async def keep(self, logo_hash: str, png: bytes) -> None:
        """Keep a picture under the SHA-256 of its bytes, in hex."""


@dataclass(frozen=True, slots=True)
class NewLogo:
    """A logo to show in place of the one there is; without an image none."""

    image: bytes | None


class AppCommands:
    """Apps, on behalf of the context's tenant: the app of another one is not found."""

    def __init__(
        self, apps_: Aggregates[App, AppEvent], subscriptions_: Aggregates[Subscription, SubscriptionEvent], logos: LogoShelf
    ) -> None:
        self._apps, self._subscriptions, self._logos = apps_, subscriptions_, logos
        self._decoding = asyncio.Semaphore(2)  # each may hold a picture of 40 MB in memory

    async def register(self, given: Given, image: bytes | None, context: Context) -> Decided[App]:
        """The form is judged whole, logo included, before anything is kept."""
        app_id, product_id = new_id("app"), LATCHKEY_PAY.product_id
        png, wrong = await self._judged(image)
        register = cache(partial(  # judging the form is a tenth of the command: once is enough
            apps.register, owner_id=context.tenant, product_id=product_id, given=given, registered_at=context.now,
            logo_hash=_hash(png) if png else None, wrong=wrong,
        ))  # fmt: skip
        register(App(app_id))
        if png:
            await self._logos.keep(_hash(png), png)
        subscribed = subscription_id(context.tenant, product_id)
        parts: list[Part[Any, Any]] = [
            Part(self._apps, app_id, register, new=True),
            Part(self._subscriptions, subscribed, subscriptions.require_active),
        ]
        return (await decide_together(parts, context))[0]

    async def change(self, app_id: str, given: Given, shown: NewLogo | None, context: Context) -> Decided[App]:
        """Details and logo in one decision: everything wrong with either is named, and nothing is changed then."""
        await self._require_owner(app_id, context)
        png, wrong = await self._judged(shown.image if shown else None)
        change = partial(apps.change_details, given=given, wrong=wrong)
        if shown is None:
            return await self._apps.decide(app_id, change, context)
        if png:
            await self._logos.keep(_hash(png), png)
        return await self._apps.decide(
            app_id, lambda app: [*change(app), *apps.change_logo(app, logo_hash=_hash(png) if png else None)], context
        )

    async def change_logo(self, app_id: str, image: bytes, context: Context) -> Decided[App]:
        """The image is kept before the event that shows it, so that no event ever shows a missing one."""
        await self._require_owner(app_id, context)
        png = await self._redrawn(image)
        await self._logos.keep(_hash(png), png)
        return await self._decide(app_id, partial(apps.change_logo, logo_hash=_hash(png)), context)

    async def remove_logo(self, app_id: str, context: Context) -> Decided[App]:
        return await self._decide(app_id, partial(apps.change_logo, logo_hash=None), context)

    async def disable(self, app_id: str, context: Context) -> Decided[App]:
        return await self._decide(app_id, apps.disable, context)

    async def enable(self, app_id: str, context: Context) -> Decided[App]:
        return await self._decide(app_id, apps.enable, context)

    async def archive(self, app_id: str, context: Context) -> Decided[App]:
        return await self._decide(app_id, apps.archive, context)

    async def restore(self, app_id: str, context: Context) -> Decided[App]:
        try:
            return await self._decide(app_id, apps.restore, context)
        except NameTaken as taken:
            raise NameTakenMeanwhile from taken

    async def erase_all(self, app_ids: Sequence[str], context: Context) -> None:
        """End an erased account's subscriptions, these apps of it, and the keys to their contact data, in one transaction."""
        parts: list[Part[Any, Any]] = [
            Part(self._subscriptions, subscription_id(context.tenant, product_id), subscriptions.unsubscribe) for product_id in PRODUCTS
        ]
        parts += [Part(self._apps, app_id, apps.erase) for app_id in app_ids]
        await decide_together(parts, context, shreds=app_ids)

    async def _judged(self, image: bytes | None) -> tuple[bytes | None, Sequence[FieldError]]:
        """The picture of a form, or what is wrong with it."""
        try:
            return (await self._redrawn(image) if image is not None else None), ()
        except Refusal as refused:
            return None, (FieldError("/logo", refused.code, refused.title),)

    async def _redrawn(self, image: bytes) -> bytes:
        async with self._decoding:
            return await asyncio.to_thread(logo.redrawn, image)

    async def _decide(self, app_id: str, decision: Decision, context: Context) -> Decided[App]:
        await self._require_owner(app_id, context)
        return await self._apps.decide(app_id, decision, context)

    async def _require_owner(self, app_id: str, context: Context) -> None:
        await require_owner(self._apps, app_id, context)


def _hash(png: bytes) -> str:
    return hashlib.sha256(png).hexdigest()


async def require_owner(apps_: Aggregates[App, AppEvent], app_id: str, context: Context) -> None:
    """Asked before If-Match is looked at, so that a version of somebody else's app cannot be guessed; an owner never changes.

    Raises NotFound.
    """
    if not is_id(app_id, "app"):  # a stream of another kind cannot be folded into an app, and must not be told from a missing one
        raise NotFound
    known = apps_.cached(app_id) or await apps_.load(app_id)
    apps.require_owner(known.state, context.tenant)
