"""Where a partition is taken up: decided from the checkpoint and from what the topic holds now. Pure."""

from dataclasses import dataclass, replace

from latchkey.consumer.ledger import Held
from latchkey.consumer.policy import Start


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where to go on. `gap` tells that records were deleted before they were read, `remade` that the topic is another one now."""

    held: Held
    gap: bool = False
    remade: bool = False


def begin(new: Held, held: Held | None, *, first: int, end: int, start: Start) -> Beginning:
    """Take up the checkpoint `held`, or `new` where there is none, on a topic whose records go from `first` to before `end`.

    An end below the checkpoint means a new topic: a new epoch begins at its first record, which the version rule makes safe.
    A first record above the checkpoint is a retention gap. Else the record before the checkpoint has to be the same as ever.
    """
    if held is None:
        if start is Start.END:
            # What came before is nobody's business here, so the streams need not be seen from their first version on.
            return Beginning(replace(new, next_offset=end, declared=True))
        return Beginning(replace(new, next_offset=first), gap=first > 0)
    if end < held.next_offset:
        return remade(held, first)
    if held.next_offset < first:
        return Beginning(replace(held, next_offset=first, last_digest=None, verify=False), gap=True)
    return Beginning(replace(held, verify=held.last_digest is not None and held.next_offset > first))


def remade(held: Held, first: int) -> Beginning:
    """Start over in a new epoch at the new topic's first record."""
    again = replace(held, topic_epoch=held.topic_epoch + 1, next_offset=first, last_digest=None, verify=False)
    return Beginning(again, gap=first > 0, remade=True)
