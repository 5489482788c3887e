"""The overlay for HTTPS."""

import ssl
from collections.abc import Iterator

import httpx2
import pytest

from stack.ports import free_ports
from tests.deploy.deployment import Deployment

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]


@pytest.fixture
def as_before(deployment: Deployment) -> Iterator[Deployment]:
    """The deployment, which is itself again after the test."""
    yield deployment
    deployment.compose("up", "--wait", "--wait-timeout", "600", "--remove-orphans")


def test_https_under_a_name(as_before: Deployment) -> None:
    http, https = free_ports(2)
    told = {
        "LATCHKEY_DOMAIN": "localhost", "LATCHKEY_TLS": "tls internal", "LATCHKEY_BIND": "127.0.0.1", "LATCHKEY_HTTP_PORT": str(http),
        "LATCHKEY_HTTPS_PORT": str(https),
    }  # fmt: skip
    as_before.compose("-f", "deploy/tls.yml", "up", "--wait", "--no-deps", "proxy", told=told)
    authority = as_before.compose(
        "-f", "deploy/tls.yml", "exec", "-T", "proxy", "cat", "/data/caddy/pki/authorities/local/root.crt", told=told
    ).stdout
    answer = httpx2.get(f"https://localhost:{https}/sign-in", verify=ssl.create_default_context(cadata=authority), timeout=30)
    assert (answer.status_code, answer.headers["strict-transport-security"]) == (200, "max-age=31536000")
    plain = httpx2.get(f"http://localhost:{http}/sign-in", timeout=30)
    assert (plain.status_code, plain.headers["location"].startswith("https://localhost")) == (308, True)
