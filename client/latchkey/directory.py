"""The table a verifier looks keys up in: digest to pair, kept up ring by ring, each ring never going back."""

from dataclasses import dataclass, field

from latchkey.keyformat import Kind, ParsedKey, key_digest
from latchkey.rings import PairRecord, RingRecord


@dataclass(slots=True)
class Directory:
    """Rings in memory. Not safe for threads; every method takes effect at once."""

    _pairs: dict[bytes, PairRecord] = field(default_factory=dict)
    _rings: dict[str, RingRecord] = field(default_factory=dict)
    _erased: set[str] = field(default_factory=set)

    def __len__(self) -> int:
        """The number of rings."""
        return len(self._rings)

    def put(self, ring: RingRecord) -> bool:
        """Hold this state of the ring. False, and no effect, when a later or the same one is held or the ring was erased."""
        held = self._rings.get(ring.ring_id)
        if ring.ring_id in self._erased or (held is not None and ring.streamversion <= held.streamversion):
            return False
        self._drop(ring.ring_id)
        self._rings[ring.ring_id] = ring
        for pair in ring.pairs:
            self._pairs[pair.public_digest] = pair
            self._pairs[pair.secret_digest] = pair
        return True

    def erase(self, ring_id: str) -> None:
        """Forget the ring for ever: a record of it that comes late does not bring it back."""
        self._drop(ring_id)
        self._erased.add(ring_id)

    def distrust(self, ring_id: str) -> None:
        """Forget the ring until a record of it can be read: what was held may no longer be true."""
        self._drop(ring_id)

    def find(self, key: ParsedKey) -> PairRecord | None:
        """The pair that this key is one half of; the record's kind and environment must be those the key's prefix claims."""
        digest = key_digest(key.text)
        pair = self._pairs.get(digest)
        if pair is None or pair.environment != key.environment:
            return None
        return pair if digest == (pair.secret_digest if key.kind is Kind.SECRET else pair.public_digest) else None

    def _drop(self, ring_id: str) -> None:
        held = self._rings.pop(ring_id, None)
        for pair in held.pairs if held is not None else ():
            self._pairs.pop(pair.public_digest, None)
            self._pairs.pop(pair.secret_digest, None)
