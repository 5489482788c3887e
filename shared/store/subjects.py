"""Subject keys: one data key a person or app, wrapped under the service's master key, so that erasing is deleting a key."""

import secrets
import time
from collections.abc import Collection, Mapping
from typing import Final

import asyncpg

from shared.sealing import KEY_BYTES, Cipher, derive_key

_KEEP: Final = 60.0  # seconds that an unwrapped key may outlive its deletion in another process's memory
_CACHED: Final = 20_000


class SubjectKeys:
    """Unwraps, mints and remembers subject keys. What it caches is at most 60 seconds old; an append checks the row itself."""

    def __init__(self, pool: asyncpg.Pool, master: bytes) -> None:
        self._pool = pool
        self._wrap = Cipher(derive_key(master, "subject-keys"))
        self._cache: dict[str, tuple[float, Cipher | None]] = {}

    async def ciphers(self, subjects: Collection[str]) -> Mapping[str, Cipher | None]:
        """See Store.ciphers."""
        now = time.monotonic()
        known = {subject: self._cache.get(subject) for subject in subjects}
        found = {subject: entry[1] for subject, entry in known.items() if entry and entry[0] > now}
        missing = [subject for subject in subjects if subject not in found]
        if missing:
            rows = await self._pool.fetch("SELECT subject_id, wrapped_key FROM es.subject_keys WHERE subject_id = ANY($1::text[])", missing)
            for row in rows:
                found[row["subject_id"]] = cipher = self._unwrap(row["wrapped_key"])
                self._remember(row["subject_id"], now, cipher)
        return found

    def mint(self) -> tuple[Cipher, bytes]:
        """See Store.mint."""
        key = secrets.token_bytes(KEY_BYTES)
        return Cipher(key), self._wrap.seal(key, "subject-key")

    def forget(self, subjects: Collection[str]) -> None:
        """Ask the database the next time."""
        for subject in subjects:
            self._cache.pop(subject, None)

    def _unwrap(self, wrapped: bytes | None) -> Cipher | None:
        return None if wrapped is None else Cipher(self._wrap.open(wrapped, "subject-key"))

    def _remember(self, subject: str, now: float, cipher: Cipher | None) -> None:
        if len(self._cache) >= _CACHED:
            self._cache.clear()  # simpler than an order of use, and it costs one read each
        self._cache[subject] = (now + _KEEP, cipher)
