"""Everything identity keys with its master key: address and code digests, refresh tokens and the names of rate limits."""

import base64
import hashlib
import hmac
import secrets
from typing import Final

from services.identity.domain.errors import RefreshRefused
from shared.sealing import derive_key

CODE_DIGITS: Final = 6
_TAG_BYTES: Final = 16


class Digests:
    """HMACs under server keys. A plain hash of an address or of six digits is no secret: both can be tried out."""

    def __init__(self, master: bytes) -> None:
        self._email, self._code, self._limit = (derive_key(master, purpose) for purpose in ("email-digest", "code-digest", "limit-name"))

    def email(self, email: str) -> str:
        """The same for every spelling of an address that means one mailbox here: case-folded."""
        return _hmac(self._email, email.casefold()).hex()

    def code(self, purpose: str, account_id: str, code: str) -> str:
        """Bound to its account and purpose, so that a code opens nothing else."""
        return _hmac(self._code, f"{purpose}/{account_id}/{code}").hex()

    def limit(self, value: str) -> str:
        """A name for Redis that tells no address."""
        return url_text(_hmac(self._limit, value)[:_TAG_BYTES])


def new_code() -> str:
    """Six random digits."""
    return f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}}"


class RefreshTokens:
    """Refresh tokens `<session id>.<secret>.<tag>`.

    The tag proves, before anything is read, that we made the token. So an old one of ours is told from a guess: only the former ends
    its family. The successor of a token is an HMAC of it, so it is never stored and the same token always meets the same successor.
    """

    def __init__(self, master: bytes) -> None:
        self._successor, self._tag = derive_key(master, "refresh-successor"), derive_key(master, "refresh-tag")

    def first(self, session_id: str) -> str:
        """The first token of a session: 256 random bits."""
        return self._made(session_id, secrets.token_bytes(32))

    def successor(self, token: str) -> str:
        """The token that follows one of ours."""
        return self._made(token.partition(".")[0], _hmac(self._successor, token))

    def session_of(self, token: str) -> str:
        """The session of a token of ours. Raises RefreshRefused for any other text."""
        body, _, tag = token.rpartition(".")
        if not token.isascii() or not hmac.compare_digest(tag, self._tag_of(body)):
            raise RefreshRefused
        return body.partition(".")[0]

    def _made(self, session_id: str, secret: bytes) -> str:
        body = f"{session_id}.{url_text(secret)}"
        return f"{body}.{self._tag_of(body)}"

    def _tag_of(self, body: str) -> str:
        return url_text(_hmac(self._tag, body)[:_TAG_BYTES])


def digest_of(secret: str) -> str:
    """What is kept of a secret of 256 random bits, which nobody can try out."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_secret() -> str:
    """256 random bits as text."""
    return url_text(secrets.token_bytes(32))


def _hmac(key: bytes, value: str) -> bytes:
    return hmac.new(key, value.encode(errors="surrogatepass"), hashlib.sha256).digest()


def url_text(value: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()
