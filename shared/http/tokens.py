"""Access tokens and service tokens: EdDSA only, checked once, then known by digest until they expire or are revoked."""

import hashlib
import re
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final, Literal, Protocol

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from shared.http.refusals import SessionRevoked, TokenExpired, TokenInvalid

ISSUER: Final = "latchkey-identity"
AUDIENCE: Final = "latchkey"
ALGORITHM: Final = "EdDSA"
PERSON_TYPE: Final = "at+jwt"
SERVICE_TYPE: Final = "st+jwt"
_KINDS: Final[dict[str, Literal["person", "service"]]] = {PERSON_TYPE: "person", SERVICE_TYPE: "service"}
_LONGEST: Final = 4_096
_LIFETIME: Final = 3_600  # seconds; identity's last 5 or 15 minutes, so one that lives longer was not made by its rules
_AHEAD: Final = 30  # seconds that identity's clock may be ahead of ours
_KID: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says. `subject` is an account id, or a client id with `scopes`; `expires_at` is in Unix seconds."""

    kind: Literal["person", "service"]
    subject: str
    session_id: str
    generation: int
    scopes: frozenset[str]
    issued_at: int
    expires_at: int


class Keys(Protocol):
    """Where public signing keys come from."""

    async def key(self, kid: str) -> Ed25519PublicKey | None:
        """The key of this id, None when there is no such key. Raises KeysAway when nothing is known about any."""


class Revocations(Protocol):
    """What became of sessions since their tokens were signed."""

    async def is_revoked(self, claims: Claims) -> bool:
        """Whether the session was ended, the account's generation raised, or the account erased."""


class NeverRevoked:
    """For tests, and for processes that only meet service tokens."""

    async def is_revoked(self, claims: Claims) -> bool:  # noqa: ARG002 - the protocol's parameter
        """See Revocations."""
        return False


class TokenChecker:
    """Says what a token claims. The last `cached` verified tokens are known by digest; revocation and expiry are looked at every time."""

    def __init__(
        self, keys: Keys, revocations: Revocations, *, issuer: str = ISSUER, audience: str = AUDIENCE, cached: int = 20_000
    ) -> None:
        self._keys, self._revocations, self._issuer, self._audience = keys, revocations, issuer, audience
        self._cached, self._known = cached, OrderedDict[bytes, Claims]()

    async def check(self, token: str) -> Claims:
        """The claims of a token. Raises TokenInvalid, TokenExpired, SessionRevoked, or KeysAway."""
        if len(token) > _LONGEST or not token.isascii():
            raise TokenInvalid
        digest = hashlib.sha256(token.encode()).digest()
        claims = self._known.get(digest)
        if claims is None:
            claims = await self._verified(token)
            self._known[digest] = claims
            if len(self._known) > self._cached:
                self._known.popitem(last=False)
        elif claims.expires_at <= time.time():
            del self._known[digest]
            raise TokenExpired
        if await self._revocations.is_revoked(claims):
            raise SessionRevoked
        return claims

    async def _verified(self, token: str) -> Claims:
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            raise TokenInvalid from None
        kind, kid = header.get("typ"), header.get("kid")
        # Only these three header fields are ever looked at: a key or an address that a token brings along (jwk, jku, x5u) is ignored.
        if header.get("alg") != ALGORITHM or not isinstance(kind, str) or kind not in _KINDS or "crit" in header:
            raise TokenInvalid
        if not isinstance(kid, str) or not _KID.fullmatch(kid):
            raise TokenInvalid
        key = await self._keys.key(kid)
        if key is None:
            raise TokenInvalid
        try:
            claims: dict[str, Any] = jwt.decode(
                token, key, algorithms=[ALGORITHM], issuer=self._issuer, audience=self._audience,
                options={"require": ["iss", "aud", "sub", "exp", "iat"], "strict_aud": True, "verify_iat": False},
            )  # fmt: skip
        except jwt.ExpiredSignatureError:
            raise TokenExpired from None
        except jwt.PyJWTError:
            raise TokenInvalid from None
        return _claims(_KINDS[kind], claims)


def _claims(kind: Literal["person", "service"], said: dict[str, Any]) -> Claims:
    subject, session_id, generation, scope = said["sub"], said.get("sid", ""), said.get("gen", 0), said.get("scope", "")
    issued_at, expires_at = said["iat"], said["exp"]
    texts = isinstance(subject, str) and isinstance(session_id, str) and isinstance(scope, str)
    numbers = all(type(number) is int for number in (generation, issued_at, expires_at))
    if not texts or not numbers or not subject or expires_at - issued_at > _LIFETIME or issued_at > time.time() + _AHEAD:
        raise TokenInvalid
    if kind == "person" and (not session_id or "gen" not in said):
        raise TokenInvalid
    return Claims(kind, subject, session_id, generation, frozenset(scope.split()), issued_at, expires_at)
