"""The table a verifier looks keys up in: digest to pair, kept up ring by ring, each ring never going back."""

from dataclasses import dataclass, field
from hashlib import sha256
from typing import NamedTuple

from latchkey.keyformat import Environment, Kind, ParsedKey, covered, prefix_of
from latchkey.rings import PairRecord, RingRecord


class Entry(NamedTuple):
    """One key of a pair: the pair, and what the key's prefix has to say."""

    record: PairRecord
    kind: Kind
    environment: Environment
    prefix: bytes


_PREFIXES = {(kind, environment): prefix_of(kind, environment) for kind in Kind for environment in Environment}


@dataclass(slots=True)
class Directory:
    """Rings in memory. Not safe for threads; every method takes effect at once."""

    _keys: dict[bytes, Entry] = field(default_factory=dict)
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
            environment = Environment(pair.environment)
            for kind, digest in ((Kind.PUBLIC, pair.public_digest), (Kind.SECRET, pair.secret_digest)):
                self._keys[digest] = Entry(pair, kind, environment, _PREFIXES[kind, environment])
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
        body = covered(key.text)
        entry = None if body is None else self.look_up(body)
        return None if entry is None else entry.record

    def look_up(self, body: bytes) -> Entry | None:
        """The same for the bytes that the checksum covers, on the path of every request."""
        entry = self._keys.get(sha256(body).digest())
        # The digest covers the prefix, so this can only differ when a record was written wrongly; then it is nobody's key.
        return entry if entry is not None and body.startswith(entry.prefix) else None

    def _drop(self, ring_id: str) -> None:
        held = self._rings.pop(ring_id, None)
        for pair in held.pairs if held is not None else ():
            self._keys.pop(pair.public_digest, None)
            self._keys.pop(pair.secret_digest, None)
