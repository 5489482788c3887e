"""Secret keys met in browsers: one stream a pair, bounded, so that whoever copies a key cannot fill the log with it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.metrics.domain.events import RefusalEvent, TransactionRefused
from services.metrics.domain.transaction import Key

SAME_ORIGIN: Final = timedelta(minutes=1)
WINDOW: Final = timedelta(hours=1)
MOST: Final = 100  # in the window


@dataclass(frozen=True, slots=True)
class Refusals:
    """Where one pair's secret key was refused within the last hour before its newest refusal."""

    recent: tuple[TransactionRefused, ...] = ()


def evolve(refusals: Refusals, event: RefusalEvent) -> Refusals:
    kept = tuple(earlier for earlier in refusals.recent if earlier.refused_at > event.refused_at - WINDOW)
    return Refusals((*kept, event))


def refuse(refusals: Refusals, *, key: Key, origin: str, now: datetime) -> list[RefusalEvent]:
    """Keep for the owner that the key was used from this origin: once a minute an origin, a hundred times an hour in all."""
    recent = [earlier for earlier in refusals.recent if earlier.refused_at > now - WINDOW]
    if len(recent) >= MOST or any(earlier.origin == origin and earlier.refused_at > now - SAME_ORIGIN for earlier in recent):
        return []
    return [TransactionRefused(key.app_id, key.environment, key.pair_id, origin, now)]
