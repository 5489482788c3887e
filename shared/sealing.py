"""Authenticated encryption of small values, and keys for single purposes drawn from a service's one master key."""

import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12


class SealBroken(Exception):
    """The bytes were not sealed with this key for this place: they were moved, changed, or the master key is another one."""


def derive_key(master: bytes, purpose: str) -> bytes:
    """32 bytes for one purpose (HKDF-Expand with SHA-256, RFC 5869): learning one tells nothing of the others."""
    return HKDFExpand(SHA256(), KEY_BYTES, purpose.encode()).derive(master)


class Cipher:
    """AES-256-GCM with a fresh random nonce a value; `place` is authenticated, so a value cannot be moved to another field or stream."""

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)

    def seal(self, plain: bytes, place: str) -> bytes:
        """Nonce followed by ciphertext and tag."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, plain, place.encode())

    def open(self, sealed: bytes, place: str) -> bytes:
        """The plain bytes. Raises SealBroken."""
        try:
            return self._aead.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], place.encode())
        except (InvalidTag, ValueError) as wrong:
            raise SealBroken from wrong
