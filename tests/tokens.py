"""Tokens as identity would sign them, and the key set that knows their one key: for tests of a service without identity."""

import base64
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
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


def machine(*scopes: str, client_id: str = "cli_1", **changed: Any) -> dict[str, str]:
    """The Authorization header of a service client with these scopes."""
    return {
        "authorization": f"Bearer {sign(claims(sub=client_id, scope=' '.join(scopes), sid=None, gen=None, **changed), typ=SERVICE_TYPE)}"
    }


@contextmanager
def served() -> Iterator[str]:
    """The base address of an identity that knows nothing but its key set."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Jwks)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Jwks(BaseHTTPRequestHandler):
    def do_GET(self) -> None:  # the name that the standard library calls
        """Answer every path with the key set."""
        x = base64.urlsafe_b64encode(PRIVATE.public_key().public_bytes_raw()).rstrip(b"=").decode()
        body = json.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": KEY_ID, "x": x}]}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
