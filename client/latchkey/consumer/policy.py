"""How a consumer behaves and what can be read of it while it runs."""

import time
from dataclasses import dataclass, field
from enum import StrEnum


class Start(StrEnum):
    """Where a consumer begins that has no checkpoint: with everything the topic still holds, or with what comes from now on."""

    BEGINNING = "beginning"
    END = "end"


@dataclass(frozen=True, slots=True)
class Policy:
    """Limits and deadlines, in seconds unless the name says otherwise. The defaults suit a service beside its broker."""

    start: Start = Start.BEGINNING
    began_from_snapshot: bool = False
    """The rows were loaded from elsewhere: a stream without a known version may be seen first at any version."""
    max_records: int = 500
    max_parked: int = 10_000
    """Beyond this the consumer waits instead of putting more aside."""
    concurrency: int = 4
    """Partitions, and streams of a reactor, that are worked on at the same time."""
    fetch_wait_ms: int = 50
    """A partition whose records were just taken is not part of the fetch under way, so its next record waits for up to this long. Four
    times as much halves what consumers at rest cost, here and at the broker."""
    poll_ms: int = 200
    transaction_seconds: float = 30.0
    kafka_seconds: float = 15.0
    start_seconds: float = 30.0
    revoke_seconds: float = 8.0
    silence_seconds: float = 30.0
    """A Kafka client that polled nothing and learned nothing for so long is thrown away and made anew."""
    healthy_seconds: float = 60.0
    """A client that worked for so long earned a quick second try."""
    metadata_seconds: float = 10.0
    recheck_seconds: float = 60.0
    """So often the last record is compared with the topic's, which is how a topic that was made anew is found out."""
    tend_seconds: float = 1.0
    """So often wanted and healable records that were put aside are looked for."""
    backoff_seconds: float = 0.1
    backoff_limit_seconds: float = 10.0
    session_timeout_ms: int = 10_000
    heartbeat_ms: int = 3_000

    def backoff_after(self, delay: float, worked_seconds: float) -> float:
        """How long to wait before the next client, when the wait before was `delay` and this one worked for so long."""
        return self.backoff_seconds if worked_seconds > self.healthy_seconds else min(2 * delay, self.backoff_limit_seconds)


@dataclass(slots=True)
class Status:
    """Plain figures for /metrics and /readyz; counters count since the start of the process."""

    running: bool = False
    assigned: int = 0
    lag_records: int = 0
    """Records in the assigned partitions that are not yet applied, as far as the broker told."""
    caught_up_at: float = field(default_factory=time.monotonic)
    """When the consumer was last known to be at the end of all its partitions, on the monotonic clock; at first, when it was made."""
    applied: int = 0
    duplicates: int = 0
    unknown: int = 0
    parked: int = 0
    """Records that are put aside now."""
    failures: int = 0
    """Batches that must be tried again."""
    remade_topics: int = 0
    retention_gaps: int = 0
    clients_recreated: int = 0
    last_error: str = ""
    lags: dict[str, int] = field(default_factory=dict)
    """Records behind, by `topic-partition`."""

    @property
    def age_seconds(self) -> float:
        """For how long it has not been known to be at the end of all its partitions; below a second while it is."""
        return time.monotonic() - self.caught_up_at
