"""The overlays: HTTPS, and Prometheus with rules that fire."""

import json
import re
import ssl
import subprocess
import time
from collections.abc import Iterator

import httpx2
import pytest

from stack.layout import ROOT
from stack.ports import free_ports
from tests.deploy.deployment import PROCESSES, Deployment

pytestmark = [pytest.mark.containers, pytest.mark.timeout(900)]
RULES = ROOT / "deploy/prometheus"
PROMETHEUS = re.findall(r"image: (\S+)", (ROOT / "deploy/observability.yml").read_text("utf-8"))[0]


@pytest.fixture
def as_before(deployment: Deployment) -> Iterator[Deployment]:
    """The deployment, which is itself again after the test."""
    yield deployment
    deployment.compose("up", "--wait", "--wait-timeout", "600", "--remove-orphans")


def test_every_alert_fires_when_it_should() -> None:
    mount = ("-v", f"{RULES}:/etc/prometheus:ro")
    for words in (
        ("check", "config", "--syntax-only", "/etc/prometheus/prometheus.yml"),
        ("test", "rules", "/etc/prometheus/rules.test.yml"),
    ):
        command = ["docker", "run", "--rm", "--network", "none", *mount, "--entrypoint", "promtool", PROMETHEUS, *words]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    named = set(re.findall(r"alert: (\w+)", (RULES / "rules.yml").read_text("utf-8")))
    tested = set(re.findall(r"alertname: (\w+)", (RULES / "rules.test.yml").read_text("utf-8")))
    assert named == tested


def test_prometheus_sees_every_process_and_every_series_that_a_rule_names(as_before: Deployment) -> None:
    port = free_ports(1)[0]
    as_before.compose("-f", "deploy/observability.yml", "up", "--wait", "--no-deps", "prometheus", told={"PROMETHEUS_PORT": str(port)})
    expected = {*PROCESSES, "portal"}
    deadline = time.monotonic() + 120
    while (seen := {series["process"] for series in _query(port, "up == 1")}) != expected:
        assert time.monotonic() < deadline, expected - seen
        time.sleep(1)
    text = (RULES / "rules.yml").read_text("utf-8")
    series = set(re.findall(r"(?<![:\w])((?:relay|consumer|worker|verifier|http)_[a-z_]+)\b", text))
    assert len(series) >= 8
    httpx2.get(f"{as_before.origin}/sign-in", timeout=30)  # a process has no figure of requests before the first one
    while missing := [name for name in series if not _query(port, name)]:
        assert time.monotonic() < deadline, missing
        time.sleep(1)
    answer = httpx2.get(f"http://127.0.0.1:{port}/api/v1/rules", timeout=30).json()
    assert {rule["health"] for group in answer["data"]["groups"] for rule in group["rules"]} <= {"ok", "unknown"}


def _query(port: int, expression: str) -> list[dict[str, str]]:
    answer = httpx2.get(f"http://127.0.0.1:{port}/api/v1/query", params={"query": expression}, timeout=30)
    return [result["metric"] for result in json.loads(answer.text)["data"]["result"]]


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
