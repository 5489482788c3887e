"""The overlay for observability: rules that fire, every process watched, and dashboards whose every query is answered."""

import json
import re
import subprocess
import time
from collections.abc import Iterator

import httpx2
import pytest

from stack.layout import ROOT
from stack.ports import free_ports
from tests.deploy.dashboards import queries
from tests.deploy.deployment import PROCESSES, Deployment

pytestmark = [pytest.mark.containers, pytest.mark.long, pytest.mark.timeout(1800)]
RULES = ROOT / "deploy/prometheus"
OVERLAY = "deploy/observability.yml"
PROMETHEUS = re.findall(r"image: (\S+)", (ROOT / OVERLAY).read_text("utf-8"))[0]


@pytest.fixture(scope="module")
def prometheus(deployment: Deployment) -> Iterator[int]:
    """The port of the overlay's Prometheus, beside a deployment that is itself again afterwards."""
    port = free_ports(1)[0]
    deployment.compose("-f", OVERLAY, "up", "--wait", "--no-deps", "prometheus", told={"PROMETHEUS_PORT": str(port)})
    yield port
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


def test_every_process_is_seen_and_every_series_that_a_rule_names(deployment: Deployment, prometheus: int) -> None:
    expected = {*PROCESSES, "portal"}
    deadline = time.monotonic() + 120
    while (seen := {series["process"] for series in _query(prometheus, "up == 1")}) != expected:
        assert time.monotonic() < deadline, expected - seen
        time.sleep(1)
    text = (RULES / "rules.yml").read_text("utf-8")
    series = set(re.findall(r"(?<![:\w])((?:relay|consumer|worker|verifier|http)_[a-z_]+)\b", text))
    assert len(series) >= 8
    httpx2.get(f"{deployment.origin}/sign-in", timeout=30)  # a process has no figure of requests before the first one
    _answered(prometheus, series)
    answer = httpx2.get(f"http://127.0.0.1:{prometheus}/api/v1/rules", timeout=30).json()
    assert {rule["health"] for group in answer["data"]["groups"] for rule in group["rules"]} <= {"ok", "unknown"}


def test_every_query_of_a_dashboard_is_answered(deployment: Deployment, prometheus: int) -> None:
    httpx2.post(f"{deployment.at['identity']}/v1/sessions", json={"email": "nobody@example.com", "password": "not-a-password"}, timeout=30)
    httpx2.post(f"{deployment.at['metrics']}/v1/transactions", json={}, timeout=30)
    _answered(prometheus, set(queries()))


def test_grafana_starts_only_when_it_is_asked_for(deployment: Deployment) -> None:
    assert "grafana" not in deployment.compose("-f", OVERLAY, "config", "--services").stdout.split()
    assert "grafana" in deployment.compose("-f", OVERLAY, "--profile", "grafana", "config", "--services").stdout.split()


def _answered(port: int, expressions: set[str]) -> None:
    """Wait until Prometheus has something to say to each."""
    deadline = time.monotonic() + 180
    while missing := [expression for expression in expressions if not _query(port, expression)]:
        assert time.monotonic() < deadline, missing
        time.sleep(1)


def _query(port: int, expression: str) -> list[dict[str, str]]:
    answer = httpx2.get(f"http://127.0.0.1:{port}/api/v1/query", params={"query": expression}, timeout=30)
    return [result["metric"] for result in json.loads(answer.text)["data"]["result"]]
