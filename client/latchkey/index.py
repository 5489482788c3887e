"""Where things lie that are named by a digest, in eight bytes each: a list of buckets that never has to be built anew."""

from collections.abc import Iterator
from typing import Final

_BUCKETS: Final = 65_536  # by the first two bytes of the digest
_TAG: Final = 4  # bytes of the digest that follow
_WIDTH: Final = _TAG + 4


class Index:
    """From digests, of at least 6 evenly distributed bytes, to numbers below 2**32.

    It knows 48 bits of a digest, so who looks one up compares what lies there. A bucket is one `bytes`, searched by `bytes.find`: 15
    entries at a million keys. A dict of digests takes 150 bytes a key, and a table with open addresses stops the process to grow.
    """

    __slots__ = ("_buckets",)

    def __init__(self) -> None:
        self._buckets = [b""] * _BUCKETS

    def add(self, digest: bytes, number: int) -> None:
        """Let `number` be one of the candidates for this digest."""
        self._buckets[int.from_bytes(digest[:2])] += digest[2 : 2 + _TAG] + number.to_bytes(4)

    def remove(self, digest: bytes, number: int) -> None:
        """Let it be none any more; what was never added is no error."""
        at = int.from_bytes(digest[:2])
        bucket = self._buckets[at]
        for place in _places(bucket, digest[2 : 2 + _TAG]):
            if bucket[place + _TAG : place + _WIDTH] == number.to_bytes(4):
                self._buckets[at] = bucket[:place] + bucket[place + _WIDTH :]
                return

    def candidates(self, digest: bytes) -> Iterator[int]:
        """The numbers that were added for this digest, and rarely for another one."""
        bucket = self._buckets[int.from_bytes(digest[:2])]
        for place in _places(bucket, digest[2 : 2 + _TAG]):
            yield int.from_bytes(bucket[place + _TAG : place + _WIDTH])


def _places(bucket: bytes, tag: bytes) -> Iterator[int]:
    place = bucket.find(tag)
    while place >= 0:
        if place % _WIDTH == 0:
            yield place
        place = bucket.find(tag, place + 1)
