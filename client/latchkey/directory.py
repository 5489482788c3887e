"""The table a verifier looks keys up in: digest to pair, kept up ring by ring, each ring never going back."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Final, NamedTuple

from latchkey.index import Index
from latchkey.judging import Code, is_open, judge
from latchkey.keyformat import CHECK, LENGTH, Environment, Kind, is_whole, prefix_of
from latchkey.packing import handles, pack, unpack
from latchkey.rings import PairRecord, RingRecord

_VALID: Final = Code.VALID  # as in judging
_MOST_AT_HAND: Final = 16_384  # keys, of some 700 bytes


class Entry(NamedTuple):
    """One key of a pair: the pair, what the key's prefix and its last six characters have to say, and `judging.is_open` of the pair."""

    record: PairRecord
    kind: Kind
    environment: Environment
    checksum: str
    is_open: bool

    def judged(self, now: Callable[[], datetime], *, origin: str | None, ip: str | None, scope: str | None) -> Code:
        """What `judging.judge` says of this key; nearly every question is of an open pair and needs neither it nor the time."""
        if self.is_open and origin is None and scope is None:
            return _VALID
        return judge(self.record, self.kind, now(), origin=origin, ip=ip, scope=scope)


@dataclass(slots=True)
class Directory:
    """Rings in memory, packed: some 140 bytes a key, where the objects take 700. Not safe for threads; every method takes effect at once.

    A key that is asked for is unpacked and kept at hand, so that one in use costs a look into a dict.
    """

    _at_hand: dict[bytes, Entry] = field(default_factory=dict)
    _packed: list[bytes] = field(default_factory=list)
    _free: list[int] = field(default_factory=list)
    _by_digest: Index = field(default_factory=Index)
    _by_ring: Index = field(default_factory=Index)
    _erased: set[str] = field(default_factory=set)

    def __len__(self) -> int:
        """The number of rings."""
        return len(self._packed) - len(self._free)

    def put(self, ring: RingRecord) -> bool:
        """Hold this state of the ring. False, and no effect, when a later or the same one is held or the ring was erased."""
        if ring.ring_id in self._erased:
            return False
        name = _name(ring.ring_id)
        number, held = self._held(name, ring.ring_id)
        if held is not None:
            if ring.streamversion <= held.streamversion:
                return False
            self._forget(name, number, held)
        packed = pack(ring)
        self._keep(name, packed, handles(packed)[1])
        return True

    def put_packed(self, packed: bytes) -> bool:
        """`put` for what `packing.pack` would write; where the ring is not held, nothing is unpacked."""
        ring_id, digests = handles(packed)
        name = sha256(ring_id).digest()
        if self._erased or next(self._by_ring.candidates(name), None) is not None:
            return self.put(unpack(packed))
        self._keep(name, packed, digests)
        return True

    def erase(self, ring_id: str) -> None:
        """Forget the ring for ever: a record of it that comes late does not bring it back."""
        self.distrust(ring_id)
        self._erased.add(ring_id)

    def distrust(self, ring_id: str) -> None:
        """Forget the ring until a record of it can be read: what was held may no longer be true."""
        name = _name(ring_id)
        number, held = self._held(name, ring_id)
        if held is not None:
            self._forget(name, number, held)

    def look_up(self, text: str) -> Entry | None:
        """The key that this text is, if it is one that is held: on the path of every request.

        That of a key at hand is known to begin and to end as it should: its checksum is compared, which is cheaper than making it.
        """
        if len(text) != LENGTH or not text.isascii():
            return None
        digest = sha256(text[:-CHECK].encode()).digest()
        entry = self._at_hand.get(digest) or self._fetched(text, digest)
        return entry if entry is not None and text.endswith(entry.checksum) else None

    def _fetched(self, text: str, digest: bytes) -> Entry | None:
        for number in self._by_digest.candidates(digest):
            for found, pair, kind in _halves(unpack(self._packed[number])):
                environment = Environment(pair.environment)
                # The digest covers the prefix, so this can only differ when a record was written wrongly; then it is nobody's key.
                if found == digest and is_whole(text) and text.startswith(prefix_of(kind, environment)):
                    if len(self._at_hand) >= _MOST_AT_HAND:
                        self._at_hand.clear()
                    entry = self._at_hand[digest] = Entry(pair, kind, environment, text[-CHECK:], is_open(pair))
                    return entry
        return None

    def _held(self, name: bytes, ring_id: str) -> tuple[int, RingRecord | None]:
        for number in self._by_ring.candidates(name):
            ring = unpack(self._packed[number])
            if ring.ring_id == ring_id:
                return number, ring
        return -1, None

    def _keep(self, name: bytes, packed: bytes, digests: Iterable[bytes]) -> None:
        if self._free:
            number = self._free.pop()
            self._packed[number] = packed
        else:
            number = len(self._packed)
            self._packed.append(packed)
        self._by_ring.add(name, number)
        for digest in digests:
            self._by_digest.add(digest, number)

    def _forget(self, name: bytes, number: int, ring: RingRecord) -> None:
        self._by_ring.remove(name, number)
        for pair in ring.pairs:
            for digest in (pair.public_digest, pair.secret_digest):
                self._by_digest.remove(digest, number)
                self._at_hand.pop(digest, None)
        self._packed[number] = b""
        self._free.append(number)


def _name(ring_id: str) -> bytes:
    return sha256(ring_id.encode()).digest()


def _halves(ring: RingRecord) -> Iterator[tuple[bytes, PairRecord, Kind]]:
    for pair in ring.pairs:
        yield pair.public_digest, pair, Kind.PUBLIC
        yield pair.secret_digest, pair, Kind.SECRET
