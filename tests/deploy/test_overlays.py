"""The overlay for HTTPS."""

import subprocess
from pathlib import Path

import httpx2
import pytest

from tests.deploy.deployment import Deployment
from tests.deploy.https import BY_ITSELF, Secured, secured

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]


def test_https_under_a_name(deployment: Deployment) -> None:
    with secured(deployment, **BY_ITSELF) as site:
        _serves(site)


def test_https_with_a_certificate_of_ones_own(deployment: Deployment, tmp_path: Path) -> None:
    certificate, key = tmp_path / "site.pem", tmp_path / "site.key"
    command = f"openssl req -x509 -nodes -subj /CN=localhost -addext subjectAltName=DNS:localhost -keyout {key} -out {certificate}"
    subprocess.run(command.split(), check=True, capture_output=True)
    for place in (key, tmp_path):
        place.chmod(0o755)  # the proxy's user is none of this machine's
    told = {"LATCHKEY_TLS": "tls /certificates/site.pem /certificates/site.key", "LATCHKEY_CERTIFICATES": str(tmp_path)}
    with secured(deployment, certificate.read_text("utf-8"), **told) as site:
        _serves(site)


def _serves(site: Secured) -> None:
    """Whoever trusts the authority gets a page under https, and is sent there from http."""
    answer = httpx2.get(f"{site.origin}/sign-in", verify=site.trust, timeout=30)
    assert (answer.status_code, answer.headers["strict-transport-security"]) == (200, "max-age=31536000")
    plain = httpx2.get(f"{site.plain}/sign-in", timeout=30)
    assert (plain.status_code, plain.headers["location"].startswith("https://localhost")) == (308, True)
