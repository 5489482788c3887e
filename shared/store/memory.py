"""The event store in memory: for unit tests of commands. It passes the same contract suite as the one on PostgreSQL."""

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from shared.errors import StreamMoved, SubjectErased
from shared.sealing import KEY_BYTES, Cipher
from shared.store.contract import DuplicateCommand
from shared.store.records import Answered, Idempotency, Mail, Positioned, Recorded, Write

Guard = Callable[[Sequence[Recorded[Any]]], None]


class MemoryStore:
    """See Store. `guards` see each write's events first and may raise a refusal, as a unique index would."""

    def __init__(self, guards: Sequence[Guard] = ()) -> None:
        self.log: list[Positioned] = []
        self.lost: Mapping[str, int] = {}
        self.mails: list[Mail] = []
        self._guards = guards
        self._heads: dict[str, int] = {}
        self._answers: dict[tuple[str, str], Answered] = {}
        self._keys: dict[str, Cipher | None] = {}
        self._minted: dict[bytes, Cipher] = {}
        self._serial = itertools.count()

    async def since(self, versions: Mapping[str, int], *, up_to: int | None = None) -> Sequence[Positioned]:
        """See Store.since."""
        found = [
            entry
            for entry in self.log
            if entry.row.stream_id in versions
            and versions[entry.row.stream_id] < entry.row.version
            and (up_to is None or entry.row.version <= up_to)
        ]
        return sorted(found, key=lambda entry: (entry.row.stream_id, entry.row.version))

    async def append(self, write: Write) -> None:
        """See Store.append."""
        key = write.idempotency
        if key and (key.scope, key.key) in self._answers:
            raise DuplicateCommand
        if any(self._keys.get(subject) is None for subject in write.needs):
            raise SubjectErased
        if any(self._heads.get(stream, 0) != version for stream, version in write.heads.items()):
            raise StreamMoved
        if not self._keys.keys().isdisjoint(write.mints):
            raise StreamMoved
        for guard in self._guards:
            guard(write.recorded)
        for row in write.rows:
            self.log.append(Positioned(len(self.log) + 1, row))
            self._heads[row.stream_id] = row.version
        if key and write.done:
            self._answers[key.scope, key.key] = Answered(key.body_hmac, write.done)
        self.mails.extend(write.mails)
        self._keys |= {subject: self._minted[wrapped] for subject, wrapped in write.mints.items()}
        self._keys |= dict.fromkeys(write.shreds)

    async def answered(self, idempotency: Idempotency, *, wait: bool = False) -> Answered | None:  # noqa: ARG002  # nothing is ever under way here
        """See Store.answered."""
        return self._answers.get((idempotency.scope, idempotency.key))

    async def ciphers(self, subjects: Collection[str]) -> Mapping[str, Cipher | None]:
        """See Store.ciphers."""
        return {subject: self._keys[subject] for subject in subjects if subject in self._keys}

    def mint(self) -> tuple[Cipher, bytes]:
        """See Store.mint."""
        wrapped = next(self._serial).to_bytes(KEY_BYTES, "big")
        self._minted[wrapped] = Cipher(wrapped)
        return self._minted[wrapped], wrapped
