"""Access tokens as identity would sign them, and the key set that checks them, for tests of one service alone."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from shared.http.tokens import AUDIENCE, ISSUER, PERSON_TYPE, SERVICE_TYPE

KID = "tests"
PRIVATE = Ed25519PrivateKey.generate()


class TestKeys:
    """See shared.http.tokens.Keys."""

    __test__ = False

    async def key(self, kid: str) -> Ed25519PublicKey | None:
        """The one key."""
        return PRIVATE.public_key() if kid == KID else None


def person(account_id: str, **changes: Any) -> dict[str, str]:
    """The header of a signed-in person."""
    return _header(PERSON_TYPE, sub=account_id, sid=f"ses_{account_id}", gen=1, **changes)


def machine(*scopes: str) -> dict[str, str]:
    """The header of a service client."""
    return _header(SERVICE_TYPE, sub="cli_tests", scope=" ".join(scopes))


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


def _header(kind: str, **claims: Any) -> dict[str, str]:
    now = int(time.time())
    said = {"iss": ISSUER, "aud": AUDIENCE, "iat": now, "exp": now + 300, "jti": "jti_tests"} | claims
    return {"authorization": f"Bearer {jwt.encode(said, PRIVATE, algorithm='EdDSA', headers={'kid': KID, 'typ': kind})}"}


class _Jwks(BaseHTTPRequestHandler):
    def do_GET(self) -> None:  # the name that the standard library calls
        """Answer every path with the key set."""
        x = base64.urlsafe_b64encode(PRIVATE.public_key().public_bytes_raw()).rstrip(b"=").decode()
        body = json.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "use": "sig", "kid": KID, "x": x}]}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
