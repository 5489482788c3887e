"""Tokens as identity would sign them, and the key set that knows their one key: for tests of a service without identity."""

import time
from collections.abc import Mapping
from typing import Any, Final

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from shared.http.tokens import ALGORITHM, AUDIENCE, ISSUER, PERSON_TYPE, SERVICE_TYPE

KEY_ID: Final = "k1"
PRIVATE: Final = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))


class OneKey:
    """A key set (see `shared.http.tokens.Keys`) that holds the tests' key."""

    async def key(self, kid: str) -> Ed25519PublicKey | None:
        """See Keys."""
        return PRIVATE.public_key() if kid == KEY_ID else None


def sign(claims: Mapping[str, Any], **header: Any) -> str:
    """A token with exactly these claims; `header` overrides or adds header fields, such as `typ`."""
    return jwt.encode(dict(claims), PRIVATE, algorithm=ALGORITHM, headers={"kid": KEY_ID, **header})


def claims(**changed: Any) -> dict[str, Any]:
    """The claims of a good access token of account `acc_1`; None removes one."""
    now = int(time.time())
    whole = {"iss": ISSUER, "aud": AUDIENCE, "sub": "acc_1", "sid": "ses_1", "gen": 1, "iat": now, "exp": now + 300, "jti": "j1"}
    return {name: value for name, value in (whole | changed).items() if value is not None}


def person(account_id: str = "acc_1", **changed: Any) -> dict[str, str]:
    """The Authorization header of a signed-in person."""
    return {"authorization": f"Bearer {sign(claims(sub=account_id, **changed), typ=PERSON_TYPE)}"}


def machine(scope: str, client_id: str = "cli_1", **changed: Any) -> dict[str, str]:
    """The Authorization header of a service client with these scopes, separated by spaces."""
    return {"authorization": f"Bearer {sign(claims(sub=client_id, scope=scope, sid=None, gen=None, **changed), typ=SERVICE_TYPE)}"}
