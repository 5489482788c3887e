"""The consumer's sense of time: what is due, which partition is held back, how far behind it is, and whether its client still lives."""

import time

from aiokafka import AIOKafkaConsumer, TopicPartition

from latchkey.consumer.ledger import Held
from latchkey.consumer.policy import Policy, Status

COMMIT_SECONDS = 1.0


class SilentClientError(Exception):
    """The Kafka client polled nothing and learned nothing for too long, which it does for ever after some broken connections."""


class Pulse:
    """Keeps times on the monotonic clock; nothing here is ordered by wall clock."""

    def __init__(self, policy: Policy, status: Status) -> None:
        self._policy, self._status = policy, status
        self._held_back: dict[TopicPartition, tuple[float, float]] = {}
        now = time.monotonic()
        self._learned_at = self._rechecked_at = now
        self._tended_at = self._committed_at = 0.0
        self._learned: int | None = None

    def begin(self) -> None:
        """A new client begins, so nothing is known of it."""
        self._learned_at = self._rechecked_at = time.monotonic()
        self._learned = None
        self._held_back.clear()

    def recheck_due(self) -> bool:
        """True once per interval, when the topics have to be compared with the checkpoints again."""
        due = time.monotonic() - self._rechecked_at >= self._policy.recheck_seconds
        if due:
            self._rechecked_at = time.monotonic()
        return due

    def tend_due(self) -> bool:
        """True once per interval, when what was put aside has to be looked at."""
        due = time.monotonic() - self._tended_at >= self._policy.tend_seconds
        if due:
            self._tended_at = time.monotonic()
        return due

    def commit_due(self) -> bool:
        """True at most once a second."""
        due = time.monotonic() - self._committed_at >= COMMIT_SECONDS
        if due:
            self._committed_at = time.monotonic()
        return due

    def hold_back(self, partition: TopicPartition) -> None:
        """Wait before this partition is tried again, each time twice as long."""
        _, delay = self._held_back.get(partition, (0.0, self._policy.backoff_seconds / 2))
        delay = min(delay * 2, self._policy.backoff_limit_seconds)
        self._held_back[partition] = (time.monotonic() + delay, delay)

    def applied(self, partition: TopicPartition) -> None:
        """The partition works again."""
        self._held_back.pop(partition, None)

    def held_back(self) -> set[TopicPartition]:
        """The partitions whose wait is not over."""
        now = time.monotonic()
        return {partition for partition, (at, _) in self._held_back.items() if at > now}

    def observe(self, kafka: AIOKafkaConsumer, held: dict[TopicPartition, Held], *, polled: bool) -> None:
        """Take in what the client learned. Raises `SilentClientError` when that was nothing for too long."""
        assigned = kafka.assignment()
        learned = max((kafka.last_poll_timestamp(partition) or 0 for partition in assigned), default=None)
        now = time.monotonic()
        # A member without partitions, and one whose partitions are all held back, has nothing to learn.
        if polled or learned != self._learned or not assigned or self.held_back() >= assigned:
            self._learned, self._learned_at = learned, now
        ends = {partition: kafka.highwater(partition) for partition in assigned}
        lags = {
            partition: max(0, end - held[partition].next_offset) for partition, end in ends.items() if end is not None and partition in held
        }
        # A topic that vanished, or that we may not see any more, takes its partitions from the assignment: then nothing is known of it.
        known = len(lags) == len(assigned) and all(map(kafka.partitions_for_topic, kafka.subscription()))
        if known and not any(lags.values()) and self._learned_at == now:
            self._status.caught_up_at = now
        self._status.assigned = len(assigned)
        self._status.lags = {f"{partition.topic}-{partition.partition}": lag for partition, lag in lags.items()}
        self._status.lag_records = sum(lags.values())
        if now - self._learned_at > self._policy.silence_seconds:
            raise SilentClientError(f"nothing heard for {self._policy.silence_seconds:.0f} s")
