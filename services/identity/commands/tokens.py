"""Signing: access tokens of five minutes for people, service tokens of fifteen for machines, and the public keys to check them with."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from services.identity.commands.secrets import url_text
from shared.http.tokens import ALGORITHM, AUDIENCE, ISSUER, PERSON_TYPE, SERVICE_TYPE
from shared.sealing import derive_key

ACCESS_SECONDS: Final = 300
SERVICE_SECONDS: Final = 900


class Signer:
    """Signs with the Ed25519 key number `generation`, drawn from the master key, so that every process has it and none is stored.

    Rotating is raising the number. The key before it stays published, so tokens that it signed live to their end; the key after it is
    published already, so whoever checks tokens has it before it signs (a service asks for keys that it does not know twice a minute).
    """

    def __init__(self, master: bytes, generation: int = 1) -> None:
        self._private = _private_key(master, generation)
        published = [self._private, *(_private_key(master, near) for near in (generation - 1, generation + 1) if near > 0)]
        self._public = {_kid(key.public_key()): key.public_key() for key in published}
        self._kid = _kid(self._private.public_key())

    def access_token(self, account_id: str, session_id: str, generation: int, now: datetime) -> str:
        """Good for 300 seconds, in any service that has not heard that the session ended."""
        return self._signed(PERSON_TYPE, {"sub": account_id, "sid": session_id, "gen": generation}, now, ACCESS_SECONDS)

    def service_token(self, client_id: str, scopes: Sequence[str], now: datetime) -> str:
        """Good for 900 seconds."""
        return self._signed(SERVICE_TYPE, {"sub": client_id, "scope": " ".join(scopes)}, now, SERVICE_SECONDS)

    async def key(self, kid: str) -> Ed25519PublicKey | None:
        """The public key of this id, for checking our own tokens."""
        return self._public.get(kid)

    def jwks(self) -> dict[str, Any]:
        """The public keys as a JSON Web Key Set (RFC 7517, RFC 8037)."""
        return {"keys": [{**_jwk(key), "kid": kid, "use": "sig", "alg": ALGORITHM} for kid, key in self._public.items()]}

    def _signed(self, kind: str, claims: dict[str, Any], now: datetime, seconds: int) -> str:
        issued = int(now.timestamp())
        body = {"iss": ISSUER, "aud": AUDIENCE, "iat": issued, "exp": issued + seconds, "jti": secrets.token_urlsafe(16), **claims}
        return jwt.encode(body, self._private, algorithm=ALGORITHM, headers={"typ": kind, "kid": self._kid})


def _private_key(master: bytes, generation: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(derive_key(master, f"token-signing/{generation}"))


def _jwk(key: Ed25519PublicKey) -> dict[str, str]:
    return {"crv": "Ed25519", "kty": "OKP", "x": url_text(key.public_bytes_raw())}


def _kid(key: Ed25519PublicKey) -> str:
    """The thumbprint of RFC 7638: SHA-256 over the required members in the order of their names."""
    jwk = _jwk(key)
    return url_text(hashlib.sha256(f'{{"crv":"{jwk["crv"]}","kty":"{jwk["kty"]}","x":"{jwk["x"]}"}}'.encode()).digest())
