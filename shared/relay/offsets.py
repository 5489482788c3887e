"""What the relay knows of its partitions: where each must end, and which records of compacted topics were written behind its back."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

Place = tuple[str, int]
"""A topic and one of its partitions."""


class LostRecords(Exception):
    """Kafka acknowledged records that it does not have any more."""


@dataclass
class Offsets:
    """`following` is, by partition, the offset after our last acknowledged record.

    `unseen` is, for partitions of compacted topics, where records begin that another producer wrote: an earlier leader's late batch, or
    one that was sent but never acknowledged. They may have put an older state last, so the sweep has to look at them.
    """

    compacted: Collection[str]
    following: dict[Place, int] = field(default_factory=dict)
    unseen: dict[Place, int] = field(default_factory=dict)

    def acknowledged(self, place: Place, base: int, count: int) -> None:
        """Our batch got the offsets from `base` on. Raises LostRecords when those had been given out before."""
        if base < self.following.get(place, 0):
            raise LostRecords(f"{place[0]}-{place[1]} went back from {self.following[place]} to {base}")
        self._foreign(place, base)
        self.following[place] = base + count

    def compare(self, ends: Mapping[Place, int], overwritten: Collection[Place] = ()) -> list[Place]:
        """Take note of the partitions' ends, with nothing of ours in flight; answers those that lost records, `overwritten` too."""
        lost = [place for place, end in ends.items() if end < self.following.get(place, 0) or place in overwritten]
        for place, end in ends.items():
            if place[0] not in self.compacted:
                self.following[place] = min(end, self.following.get(place, end))  # what lies behind is not acknowledged
                continue
            if place in lost:
                self.unseen[place] = 0
            else:
                self._foreign(place, end)
            self.following[place] = end
        return lost

    def dump(self) -> str:
        """As `es.relay.next_offsets` holds it: what was not swept yet counts as not sent, so that a successor looks at it."""
        return json.dumps({f"{topic}-{partition}": end for (topic, partition), end in (self.following | self.unseen).items()})

    def load(self, text: str) -> None:
        """Take over what `dump` wrote."""
        for name, end in json.loads(text).items():
            topic, _, partition = name.rpartition("-")
            self.following[topic, int(partition)] = end

    def _foreign(self, place: Place, end: int) -> None:
        known = self.following.get(place, 0)
        if end > known and place[0] in self.compacted:
            self.unseen.setdefault(place, known)
