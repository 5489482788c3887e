"""Reading a compacted topic of states whole, to begin from it: the last state of every stream as of now."""

from collections.abc import Mapping
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer

from latchkey.access import KafkaAccess, options
from latchkey.consumer.kafka import give_up
from latchkey.deadline import within
from latchkey.states import StateRecord, decode_state


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The states a topic held: by stream id those that live, and the ids of those that ended."""

    states: Mapping[str, StateRecord]
    ended: frozenset[str]


async def read_states(bootstrap: str | KafkaAccess, topic: str, *, wait_seconds: float = 60.0) -> Snapshot:
    """Read every partition from its start to the end it has when the call begins; of each stream the highest version counts.

    Raises `TimeoutError` after `wait_seconds`, `BadState` for a record that is no state, and Kafka's own errors.
    """
    states: dict[str, StateRecord] = {}
    ended: set[str] = set()
    kafka = AIOKafkaConsumer(topic, **options(bootstrap), enable_auto_commit=False, auto_offset_reset="earliest")

    async def read() -> None:
        await kafka.start()
        partitions = sorted(kafka.assignment())
        ends = await kafka.end_offsets(partitions)
        for partition in partitions:
            kafka.seek(partition, 0)
        while any([await kafka.position(partition) < end for partition, end in ends.items()]):
            for records in (await kafka.getmany(timeout_ms=200)).values():
                for record in records:
                    _take(states, ended, (record.key or b"").decode(), record.value)

    try:
        await within(wait_seconds, read())
    finally:
        await give_up(kafka)
    return Snapshot(states, frozenset(ended))


def _take(states: dict[str, StateRecord], ended: set[str], stream_id: str, raw: bytes | None) -> None:
    state = decode_state(raw)
    if state is None:
        states.pop(stream_id, None)
        ended.add(stream_id)
    elif stream_id not in ended and (stream_id not in states or states[stream_id].streamversion < state.streamversion):
        states[stream_id] = state
