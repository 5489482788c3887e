"""Where things are that commands and reactions name: apps, subscriptions, rings, streams of other services."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg
from latchkey.consumer import is_parked, wait_for

from services.keys.domain.apps import App
from services.keys.domain.errors import AppNotFound, PairNotFound
from services.keys.domain.events import SuspensionReason
from services.keys.domain.keyring import Standing
from shared.ids import derived_id, made_at

ARRIVAL_SECONDS: Final = 2.0
FOREIGN: Final = "foreign"  # the projection whose checkpoints say what of others has arrived
REACTIONS: Final = "reactions"
_NEW: Final = timedelta(minutes=1)  # so old may an app be that is waited for; the two services' clocks differ by less

_APPS: Final = "SELECT app_id, owner_id, product_id FROM apps"


class Whereabouts:
    """Looks into the views that other services' events fill."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def get_app(self, app_id: str, owner_id: str) -> App:
        """The owner's app. One that, by its id, was registered a moment ago may still be on its way, so this waits up to 2 s for it.

        Raises AppNotFound, also for another owner's app and after the same time, so that nobody learns which apps there are.
        """
        statement, pause = f"{_APPS} WHERE app_id = $1 AND owner_id = $2", 0.005
        ends = time.monotonic() + (ARRIVAL_SECONDS if _is_new(app_id) else 0)
        while (row := await self._pool.fetchrow(statement, app_id, owner_id)) is None:
            if time.monotonic() >= ends:
                raise AppNotFound
            await asyncio.sleep(pause)
            pause = min(2 * pause, 0.05)
        return App(*row)

    async def list_apps_of(self, owner_id: str, product_id: str | None = None) -> Sequence[App]:
        """The account's apps, under one product when that is given."""
        statement = f"{_APPS} WHERE owner_id = $1 AND ($2::text IS NULL OR product_id = $2) ORDER BY app_id"
        return [App(*row) for row in await self._pool.fetch(statement, owner_id, product_id)]

    async def get_ring_of_pair(self, app_id: str, pair_id: str, owner_id: str) -> str:
        """Raises PairNotFound, also for a pair of another app or owner."""
        ring_id: str | None = await self._pool.fetchval(
            """SELECT ring_id FROM pairs JOIN keyrings USING (ring_id) WHERE pair_id = $1 AND app_id = $2 AND tenant = $3""",
            pair_id, app_id, owner_id,
        )  # fmt: skip
        if ring_id is None:
            raise PairNotFound
        return ring_id

    async def get_subscription(self, app: App) -> Standing:
        """What the subscription that the app lives under says; one that nobody has heard of counts as ended, at version 0."""
        row = await self._pool.fetchrow(
            "SELECT subscription_id, version, NOT subscribed FROM subscriptions WHERE account_id = $1 AND product_id = $2",
            app.owner_id, app.product_id,
        )  # fmt: skip
        source, version, ended = row or (derived_id("sub", app.owner_id, app.product_id), 0, True)
        return Standing(SuspensionReason.UNSUBSCRIBED, source, version, ended)

    async def find_erasure(self, account_id: str) -> Standing | None:
        """That the account is gone, when it is."""
        version = await self._pool.fetchval("SELECT version FROM erased_accounts WHERE account_id = $1", account_id)
        return None if version is None else Standing(SuspensionReason.ACCOUNT_ERASED, account_id, version, suspends=True)

    async def arrived(self, stream_id: str, version: int) -> bool:
        """Whether a foreign stream's version is in the views, after waiting for it up to 2 s."""
        return await wait_for(self._pool, FOREIGN, stream_id, version, ARRIVAL_SECONDS)

    async def is_parked(self, stream_id: str, version: int) -> bool:
        """Whether the views put that version aside, or one before it."""
        return await is_parked(self._pool, FOREIGN, stream_id, version)

    async def reached(self, stream_id: str, version: int) -> bool:
        """Whether everything that keys does about this version of a foreign stream has been done."""
        return await wait_for(self._pool, REACTIONS, stream_id, version, 0)


def _is_new(app_id: str) -> bool:
    try:
        return abs(datetime.now(UTC) - made_at(app_id)) < _NEW
    except (ValueError, OverflowError):
        return False
