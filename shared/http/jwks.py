"""Identity's public keys, fetched when needed and kept when identity is away."""

import asyncio
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self

import httpx2 as httpx
import jwt
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from shared.http.refusals import KeysAway

_BETWEEN: Final = 30.0  # seconds between two refreshes, however many unknown key ids arrive
_BETWEEN_FIRST: Final = 1.0  # while no set was ever read, nothing works, so identity is asked more often
_OLD: Final = 300.0  # seconds after which a set is refreshed in the background, so that a withdrawn key stops counting
_TIMEOUT: Final = 2.0
_MOST_KEYS: Final = 32
_log = structlog.get_logger()


class JwksKeys:
    """The key set of one URL (RFC 7517); only Ed25519 signing keys of it count. Use as an async context manager, or `aclose` it."""

    def __init__(self, url: str, *, transport: httpx.AsyncBaseTransport | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        """`transport` and `clock` (in seconds) are for tests."""
        self._url, self._clock = url, clock
        self._client = httpx.AsyncClient(timeout=_TIMEOUT, follow_redirects=False, trust_env=False, transport=transport)
        self._keys: dict[str, Ed25519PublicKey] = {}
        self._tried = self._read = float("-inf")
        self._lock = asyncio.Lock()
        self._background: asyncio.Task[None] | None = None

    async def key(self, kid: str) -> Ed25519PublicKey | None:
        """See Keys. An unknown id refreshes the set at most once in 30 s; the last good set stays when identity does not answer."""
        if kid not in self._keys:
            async with self._lock:
                if kid not in self._keys and self._may_ask():
                    await self._refresh()
        elif self._clock() - self._read > _OLD and self._may_ask():
            self._tried = self._clock()
            self._background = asyncio.create_task(self._refresh())
        if not self._keys:
            raise KeysAway
        return self._keys.get(kid)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """End the refresh that is under way, and close the connections."""
        if self._background:
            self._background.cancel()
            await asyncio.gather(self._background, return_exceptions=True)
        await self._client.aclose()

    def _may_ask(self) -> bool:
        return self._clock() - self._tried >= (_BETWEEN if self._keys else _BETWEEN_FIRST)

    async def _refresh(self) -> None:
        self._tried = self._clock()
        try:
            answer = await self._client.get(self._url)
            answer.raise_for_status()
            found = _signing_keys(answer.json())
        except (httpx.HTTPError, ValueError, jwt.PyJWTError) as error:
            _log.warning("the signing keys could not be fetched; the last ones stay in use", error=type(error).__name__)
            return
        if found:
            self._keys, self._read = found, self._clock()


def _signing_keys(document: Any) -> dict[str, Ed25519PublicKey]:
    if not isinstance(document, dict) or not isinstance(document.get("keys"), list):
        raise ValueError("no key set")  # noqa: TRY004 - a wrong document, not a wrong call
    found: dict[str, Ed25519PublicKey] = {}
    for entry in document["keys"][:_MOST_KEYS]:
        if not isinstance(entry, dict) or entry.get("kty") != "OKP" or entry.get("crv") != "Ed25519" or entry.get("use", "sig") != "sig":
            continue
        key = jwt.PyJWK(entry, algorithm="EdDSA").key
        if isinstance(key, Ed25519PublicKey) and isinstance(entry.get("kid"), str):
            found[entry["kid"]] = key
    return found
