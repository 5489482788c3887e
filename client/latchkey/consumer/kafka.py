"""One Kafka client of a consumer: how it is set up, told what is done, and given up."""

import contextlib
from collections.abc import Awaitable, Callable

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import KafkaError

from latchkey.access import KafkaAccess, options
from latchkey.consumer.policy import Policy, Start
from latchkey.deadline import Abandoned, finish, within

_STOP_SECONDS = 5


def connect(
    kafka: str | KafkaAccess, group: str, member: str | None, policy: Policy, *, begin: Start = Start.BEGINNING
) -> AIOKafkaConsumer:
    """A client that is not started. It commits nothing by itself; `begin` is where Kafka begins that knows no offset of the group."""
    return AIOKafkaConsumer(
        **options(kafka),
        group_id=group,
        group_instance_id=member,
        enable_auto_commit=False,
        # To a consumer Postgres says where to go on. Wherever Kafka would begin by itself, the first offset shows it and is not believed.
        auto_offset_reset="latest" if begin is Start.END else "earliest",
        fetch_max_wait_ms=policy.fetch_wait_ms,
        max_poll_records=policy.max_records,
        session_timeout_ms=policy.session_timeout_ms,
        heartbeat_interval_ms=policy.heartbeat_ms,
        rebalance_timeout_ms=int(policy.revoke_seconds * 1000) + 2000,
        request_timeout_ms=int(policy.kafka_seconds * 1000),
        retry_backoff_ms=100,
        # A topic that was made anew is only found by asking; the default is to ask every five minutes.
        metadata_max_age_ms=int(policy.metadata_seconds * 1000),
    )


async def tell(kafka: AIOKafkaConsumer, offsets: dict[TopicPartition, int]) -> None:
    """Commit to Kafka what Postgres holds already; failing to costs nothing."""
    with contextlib.suppress(KafkaError, TimeoutError, Abandoned):
        await within(_STOP_SECONDS, kafka.commit(offsets))


async def give_up(kafka: AIOKafkaConsumer) -> None:
    """Leave the group and close. The client may hang in its own stop while the broker is away (aiokafka #1101), hence bounded."""
    with contextlib.suppress(Exception):
        # A static member would go without a word, and its partitions wait for it until its session ends. That is right for one that was
        # killed and comes back; who goes in order gives them to the others at once.
        if kafka._coordinator is not None:  # noqa: SLF001 - aiokafka leaves no other way; there is none when the start failed
            kafka._coordinator._group_instance_id = None  # noqa: SLF001 - the same
        await finish(_STOP_SECONDS, kafka.stop())


class Revoked(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """Calls back before partitions go to another member."""

    def __init__(self, finish: Callable[[], Awaitable[None]]) -> None:
        self._finish = finish

    async def on_partitions_revoked(self, revoked: list[TopicPartition]) -> None:
        """Finish before another member begins."""
        if revoked:
            await self._finish()

    async def on_partitions_assigned(self, assigned: list[TopicPartition]) -> None:
        """Nothing to do: the loop takes up what it was assigned."""
