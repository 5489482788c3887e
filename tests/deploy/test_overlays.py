"""The overlay for HTTPS."""

import ssl
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess

import httpx2
import pytest

from stack.ports import free_ports
from tests.deploy.deployment import Deployment

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]
TLS = ("-f", "deploy/tls.yml")


@pytest.fixture(scope="module")
def as_before(deployment: Deployment) -> Iterator[Deployment]:
    """The deployment, which is itself again after the test."""
    yield deployment
    deployment.compose("up", "--wait", "--wait-timeout", "600", "--remove-orphans")


def test_https_under_a_name(as_before: Deployment) -> None:
    def authority(proxy: Callable[..., CompletedProcess[str]]) -> str:
        return proxy("exec", "-T", "proxy", "cat", "/data/caddy/pki/authorities/local/root.crt").stdout

    _serves(as_before, authority, LATCHKEY_TLS="tls internal")


def test_https_with_a_certificate_of_ones_own(as_before: Deployment, tmp_path: Path) -> None:
    certificate, key = tmp_path / "site.pem", tmp_path / "site.key"
    command = f"openssl req -x509 -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout {key} -out {certificate}"
    subprocess.run(command.split(), check=True, capture_output=True)
    for place in (key, tmp_path):
        place.chmod(0o755)  # the proxy's user is none of this machine's
    told = {"LATCHKEY_TLS": "tls /certificates/site.pem /certificates/site.key", "LATCHKEY_CERTIFICATES": str(tmp_path)}
    _serves(as_before, lambda _: certificate.read_text("utf-8"), **told)


def _serves(deployment: Deployment, authority: Callable[[Callable[..., CompletedProcess[str]]], str], **told: str) -> None:
    """Whoever trusts the authority gets a page under https, and is sent there from http."""
    http, https = free_ports(2)
    told |= {
        "LATCHKEY_DOMAIN": "localhost",
        "LATCHKEY_BIND": "127.0.0.1",
        "LATCHKEY_HTTP_PORT": str(http),
        "LATCHKEY_HTTPS_PORT": str(https),
    }
    proxy = partial(deployment.compose, *TLS, told=told)
    proxy("up", "--wait", "--no-deps", "proxy")
    answer = httpx2.get(f"https://localhost:{https}/sign-in", verify=ssl.create_default_context(cadata=authority(proxy)), timeout=30)
    assert (answer.status_code, answer.headers["strict-transport-security"]) == (200, "max-age=31536000")
    plain = httpx2.get(f"http://localhost:{http}/sign-in", timeout=30)
    assert (plain.status_code, plain.headers["location"].startswith("https://localhost")) == (308, True)
