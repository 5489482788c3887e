"""argon2id in a bounded pool of threads with a bounded queue, and the judgement of a password's strength beside it."""

import asyncio
import secrets
import threading
import unicodedata
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError, VerifyMismatchError
from zxcvbn import zxcvbn

from services.identity.domain.access import require_strong
from services.identity.domain.errors import HashingBusy

T = TypeVar("T")
_JUDGED: Final = 100  # characters; what zxcvbn does grows with the square of the length and more


class Passwords:
    """Hashes and checks passwords, `threads` at a time with `waiting` more in line; whoever comes then is sent away at once.

    46 MiB, one pass, one lane: the first choice of OWASP for argon2id.
    """

    def __init__(self, *, threads: int, waiting: int, memory_kib: int = 46 * 1024) -> None:
        self._hasher = PasswordHasher(time_cost=1, memory_cost=memory_kib, parallelism=1)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        self._most, self._inside, self._lock = threads + waiting, 0, threading.Lock()
        self._nobody = self._hasher.hash(secrets.token_urlsafe())

    async def hash(self, password: str, known: Sequence[str], *, pointer: str = "/password") -> str:
        """The hash of a password that is hard to guess also for whoever knows these texts about its owner.

        Raises PasswordTooWeak at the field `pointer`, HashingBusy.
        """
        return await self._run(lambda: self._judged(_normal(password), known, pointer))

    async def matches(self, password_hash: object, password: str) -> bool:
        """Whether this is the password. Takes as long when there is no hash to check against. Raises HashingBusy."""
        if isinstance(password_hash, str):
            return await self._run(lambda: self._checked(password_hash, _normal(password)))
        await self._run(lambda: self._checked(self._nobody, _normal(password)))
        return False

    def close(self) -> None:
        """End the threads; what waits in line is not done."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    async def _run(self, work: Callable[[], T]) -> T:
        with self._lock:
            if self._inside >= self._most:
                raise HashingBusy(retry_after=1)
            self._inside += 1
        future = self._pool.submit(work)
        future.add_done_callback(self._left)  # not a finally: the thread works on when the caller has gone
        return await asyncio.wrap_future(future)

    def _left(self, _future: Future[T]) -> None:
        with self._lock:
            self._inside -= 1

    def _judged(self, password: str, known: Sequence[str], pointer: str) -> str:
        found = zxcvbn(password[:_JUDGED], user_inputs=_words(known), max_length=_JUDGED)
        feedback = found["feedback"]
        require_strong(found["score"], pointer, " ".join(filter(None, [feedback["warning"], *feedback["suggestions"]])))
        return self._hasher.hash(password)

    def _checked(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except VerifyMismatchError:
            return False
        except VerificationError as broken:
            raise ValueError("a stored password hash cannot be read") from broken


def _normal(password: str) -> str:
    """NFC, so that two keyboards that compose an accent differently type one password (RFC 8265)."""
    return unicodedata.normalize("NFC", password)


def _words(known: Sequence[str]) -> list[str]:
    """Each text whole and in its words: what somebody who knows the owner would try."""
    split = [word for text in known for word in text.replace("@", " ").replace(".", " ").split()]
    return [text[:_JUDGED] for text in (*known, *split) if text]
