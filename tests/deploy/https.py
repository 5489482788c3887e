"""A deployment under https, by the overlay `deploy/tls.yml`."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from stack.ports import free_ports
from tests.deploy.deployment import Deployment

BY_ITSELF = {"LATCHKEY_TLS": "tls internal"}
"""An authority of the proxy's own."""


@dataclass(frozen=True)
class Secured:
    """Where browsers come, and what whoever trusts the proxy's authority accepts."""

    origin: str
    plain: str
    trust: ssl.SSLContext


@contextmanager
def secured(deployment: Deployment, authority: str | None = None, **told: str) -> Iterator[Secured]:
    """Its proxy with the overlay, told these variables and judged by this authority, else its own; without the overlay again afterwards."""
    http, https = map(str, free_ports(2))
    told |= {"LATCHKEY_DOMAIN": "localhost", "LATCHKEY_BIND": "127.0.0.1", "LATCHKEY_HTTP_PORT": http, "LATCHKEY_HTTPS_PORT": https}
    proxy = partial(deployment.compose, "-f", "deploy/tls.yml", told=told)
    try:
        proxy("up", "--wait", "--no-deps", "proxy")
        trusted = authority or proxy("exec", "-T", "proxy", "cat", "/data/caddy/pki/authorities/local/root.crt").stdout
        yield Secured(f"https://localhost:{https}", f"http://localhost:{http}", ssl.create_default_context(cadata=trusted))
    finally:
        deployment.compose("up", "--wait", "--wait-timeout", "600", "--remove-orphans")
