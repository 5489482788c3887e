"""What the pages show of a key pair: its state in words, and who still uses it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from portal.apis.calls import Away, attempt
from portal.apis.keys import Pair, Usage
from portal.apis.metrics import Overview
from portal.numbers import heard
from portal.pages.visit import Visit

LIVE: Final = ("active", "retiring", "disabled")
STANDINGS: Final[Mapping[str, tuple[str, str]]] = {
    "active": ("Active", "good"),
    "retiring": ("Ending", "warn"),
    "disabled": ("Disabled", "warn"),
    "retired": ("Replaced", ""),
    "revoked": ("Revoked", "bad"),
    "expired": ("Expired", ""),
}
SUSPENSIONS: Final[Mapping[str, str]] = {
    "app_disabled": "Application is disabled! Its keys are refused until you enable the app again.",
    "app_archived": "The app is archived. Its keys are refused until you restore it.",
    "unsubscribed": "Your subscription to Latchkey Pay has ended. The app's keys are refused until you subscribe again.",
    "account_erased": "The account of this app was erased. Its keys are refused for ever.",
}
_MOST_ASKED: Final = 6  # pairs whose use one page asks for; a ring rarely has more than two that are live


@dataclass(frozen=True, slots=True)
class Use:
    """What is known of a pair's use. `last` is the later of a verification and a transaction."""

    usage: Usage | Away
    numbers: Overview | Away
    last: datetime | None

    @property
    def away(self) -> Away | None:
        """The service without which this is not the whole truth."""
        return next((one for one in (self.usage, self.numbers) if isinstance(one, Away)), None)

    @property
    def calls(self) -> int:
        """Verifications within the last 24 hours."""
        return 0 if isinstance(self.usage, Away) else sum(hour.calls for hour in self.usage.hours)


async def use_of(visitor: Visit, pair: Pair) -> Use:
    """Ask keys and metrics at once."""
    filters = {"pair_id": pair.pair_id, "tz": visitor.session.zone}
    usage, numbers, newest = await asyncio.gather(
        attempt(visitor.keys.usage(pair.app_id, pair.pair_id)),
        heard(visitor.metrics.overview(pair.app_id, filters)),
        heard(visitor.metrics.transactions(pair.app_id, filters, limit=1)),
    )
    times = [] if isinstance(usage, Away) or usage.last_used_at is None else [usage.last_used_at]
    times += [] if isinstance(newest, Away) else [row.creation_date for row in newest.items]
    return Use(usage, numbers, max(times, default=None))


async def uses_of(visitor: Visit, pairs: Sequence[Pair]) -> dict[str, Use]:
    """Of those that still matter, by pair."""
    live = [pair for pair in pairs if pair.status in LIVE][:_MOST_ASKED]
    found = await asyncio.gather(*(use_of(visitor, pair) for pair in live))
    return {pair.pair_id: use for pair, use in zip(live, found, strict=True)}
