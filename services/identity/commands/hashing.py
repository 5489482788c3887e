"""argon2id in a bounded pool of threads with a bounded line, and the judgement of a password's strength beside it."""

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
_JUDGED: Final = 32  # characters; zxcvbn takes up to 0.4 s for these and 1.4 s for 64, and 32 hold a password that nobody guesses


class Passwords:
    """Hashes and checks passwords, `threads` at a time with `waiting` more in line; whoever comes then is sent away at once.

    46 MiB, one pass, one lane: the first choice of OWASP for argon2id.
    """

    def __init__(self, *, threads: int, waiting: int, memory_kib: int = 46 * 1024) -> None:
        self._hasher = PasswordHasher(time_cost=1, memory_cost=memory_kib, parallelism=1)
        self._hashing = _Pool("argon2", threads, waiting)
        self._judging = _Pool("zxcvbn", 1, waiting)  # one thread: zxcvbn keeps what is known of the owner in a global
        self._nobody = self._hasher.hash(secrets.token_urlsafe())

    async def hash(self, password: str, known: Sequence[str], *, pointer: str = "/password") -> str:
        """The hash of a password that is hard to guess also for whoever knows these texts about its owner.

        Raises PasswordTooWeak at the field `pointer`, HashingBusy.
        """
        normal = _normal(password)
        score, advice = await self._judging.run(lambda: _judged(normal, known))
        require_strong(score, pointer, advice)
        return await self._hashing.run(lambda: self._hasher.hash(normal))

    async def matches(self, password_hash: object, password: str) -> bool:
        """Whether this is the password. Takes as long when there is no hash to check against. Raises HashingBusy."""
        checked = password_hash if isinstance(password_hash, str) else self._nobody
        matches = await self._hashing.run(lambda: self._checked(checked, _normal(password)))
        return matches and checked is not self._nobody

    def close(self) -> None:
        """End the threads; what waits in line is not done."""
        self._hashing.close()
        self._judging.close()

    def _checked(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except VerifyMismatchError:
            return False
        except VerificationError as broken:
            raise ValueError("a stored password hash cannot be read") from broken


class _Pool:
    """Threads with a line of bounded length before them."""

    def __init__(self, name: str, threads: int, waiting: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._most, self._inside, self._lock = threads + waiting, 0, threading.Lock()

    async def run(self, work: Callable[[], T]) -> T:
        """Do it in a thread. Raises HashingBusy when the line is full."""
        with self._lock:
            if self._inside >= self._most:
                raise HashingBusy(retry_after=1)
            self._inside += 1
        future = self._pool.submit(work)
        future.add_done_callback(self._left)  # not a finally: the thread works on when the caller has gone
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _left(self, _future: Future[T]) -> None:
        with self._lock:
            self._inside -= 1


def _judged(password: str, known: Sequence[str]) -> tuple[int, str]:
    """Zxcvbn's score from 0 to 4, and its advice."""
    found = zxcvbn(password[:_JUDGED], user_inputs=_words(known), max_length=_JUDGED)
    feedback = found["feedback"]
    return found["score"], " ".join(filter(None, [feedback["warning"], *feedback["suggestions"]]))


def _normal(password: str) -> str:
    """NFC, so that two keyboards that compose an accent differently type one password (RFC 8265)."""
    return unicodedata.normalize("NFC", password)


def _words(known: Sequence[str]) -> list[str]:
    """Each text whole, in its words, and with the words joined: what somebody who knows the owner would try."""
    split = [text.replace("@", " ").replace(".", " ").split() for text in known]
    return [text[:_JUDGED] for text in (*known, *map("".join, split), *(word for words in split for word in words)) if text]
