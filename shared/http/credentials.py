"""Where a credential stands in a request."""

import base64
import binascii
from collections.abc import Mapping
from typing import Final

_KEY_PREFIX: Final = "lk_sk_"
_MAX: Final = 8_192


def bearer_of(authorization: str | None) -> str | None:
    """The token of an Authorization header of the scheme Bearer, which is case-insensitive; else None."""
    if authorization is None or len(authorization) > _MAX:
        return None
    scheme, _, token = authorization.partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def basic_of(authorization: str | None) -> tuple[str, str] | None:
    """User name and password of an Authorization header of the scheme Basic (RFC 7617, UTF-8); None for anything else."""
    if authorization is None or len(authorization) > _MAX:
        return None
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (name, password) if colon else None


def secret_key_of(headers: Mapping[str, str]) -> str | None:
    """The secret key that a server sends as Basic user name (any password) or as Bearer; None when there is none of our form.

    Only the prefix is looked at: whether it is a key is judged where keys are known.
    """
    sent = headers.get("authorization")
    basic = basic_of(sent)
    key = basic[0] if basic else bearer_of(sent)
    return key if key is not None and key.startswith(_KEY_PREFIX) else None
