"""The relay's figures for Prometheus, and the question that readiness asks: how old is the oldest event that is not on Kafka yet."""

import asyncio
import logging
from typing import Final

import asyncpg
from prometheus_client import CollectorRegistry, Counter, Gauge

_log: Final = logging.getLogger(__name__)
_EVERY: Final = 1.0  # seconds
_STANDING = """
SELECT r.position, greatest(0, (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM es.events_position) - r.position),
    coalesce((SELECT greatest(0, extract(epoch FROM clock_timestamp() - e.recorded_at)) FROM es.events e
        WHERE e.position > r.position AND e.public IS NOT NULL ORDER BY e.position LIMIT 1), 0)::float
FROM (SELECT coalesce(max(position), 0) AS position FROM es.relay) r
"""


class Gauges:
    """Counts what the leader does; `watch` reads the durable standing, so a standby shows it too, and also while Kafka is away."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.position = Gauge("relay_position", "Everything at or below is on Kafka", registry=registry)
        self.behind = Gauge("relay_events_behind", "Positions drawn that the cursor has not passed", registry=registry)
        self.age = Gauge("relay_oldest_unpublished_seconds", "Age of the oldest event that is not on Kafka", registry=registry)
        self.leading = Gauge("relay_leading", "1 in the process that publishes", registry=registry)
        self.sent = Counter("relay_events_sent", "Events that Kafka acknowledged, repetitions included", registry=registry)
        self.discarded = Counter("relay_producers_discarded", "Producers thrown away after an error", registry=registry)
        self.fence_waits = Counter("relay_fence_waits_over_50ms", "Passes that stood at the fence for more than 50 ms", registry=registry)
        self.lost = Counter("relay_partitions_lost_records", "Partitions found to end before an acknowledged record", registry=registry)
        self.repaired = Counter("relay_states_repaired", "States sent again because an older one came last", registry=registry)
        self.refusing = Gauge("relay_refusing", "1 while nothing is published because Kafka holds what the log does not", registry=registry)
        self.oldest_seconds = 0.0
        self.refusal: str | None = None

    def refuses(self, why: str | None) -> None:
        """Take note that nothing is published, and why; of None, that it goes on."""
        if why and why != self.refusal:
            _log.error("relay: %s", why)
        self.refusal = why
        self.refusing.set(why is not None)

    async def watch(self, pool: asyncpg.Pool) -> None:
        """Read the standing every second, for ever. Raises what the database raises."""
        while True:
            position, behind, self.oldest_seconds = await pool.fetchrow(_STANDING) or (0, 0, 0.0)
            self.position.set(position)
            self.behind.set(behind)
            self.age.set(self.oldest_seconds)
            await asyncio.sleep(_EVERY)
