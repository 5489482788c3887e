"""A request whose body comes too slowly: the proxy cuts it off in its time, and nobody else is the worse for it."""

import json
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import pytest

from tests.deploy.deployment import Deployment
from tests.deploy.https import BY_ITSELF, Secured, secured

pytestmark = [pytest.mark.containers, pytest.mark.long, pytest.mark.timeout(900)]
WHERE = "/metrics/v1/transactions"
BEGINNING = (
    f"POST {WHERE} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic bm9uZTo=\r\n"
    'Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"transactions"'
).encode()
CUT_OFF = 30
"""Seconds: read_body of deploy/proxy/Caddyfile."""
SLOW_ONES = 15
"""One begins each second. A proxy that held a service for down after each would let nobody else in for as many seconds."""


def test_a_body_that_comes_too_slowly_is_cut_off_and_nobody_says_that_it_was_recorded(deployment: Deployment) -> None:
    with socket.create_connection(("127.0.0.1", deployment.port), timeout=120) as slow:
        slow.sendall(BEGINNING)
        began = time.monotonic()
        status = slow.recv(65_536).partition(b"\r\n")[0]
        waited = time.monotonic() - began
        rest = slow.recv(65_536)
    assert CUT_OFF - 5 < waited < CUT_OFF + 15
    # Before caddyserver/caddy#7827 whoever is given up gets no status, which goes out as an empty 200.
    built_of = deployment.compose("exec", "-T", "proxy", "caddy", "build-info").stdout
    assert status.split()[1] == (b"200" if "caddyserver/caddy/v2\tv2.11.0\t" in built_of else b"408")
    assert rest == b""


def test_slow_bodies_keep_nobody_else_waiting(deployment: Deployment) -> None:
    with secured(deployment, **BY_ITSELF) as site:
        began = time.monotonic()
        with _slow_bodies(site) as slow:
            waited = []
            while time.monotonic() < began + CUT_OFF + SLOW_ONES:
                asked = time.monotonic()
                answer = httpx2.post(f"{site.origin}{WHERE}", json={}, verify=site.trust, timeout=60)
                assert answer.status_code == 401
                waited.append(time.monotonic() - asked)
                time.sleep(0.2)
            codes = Counter(json.loads(each.communicate(timeout=10)[0])["code"] for each in slow)
    assert max(waited) < SLOW_ONES / 2
    # What came of the request is passed on when its time is up: the service may be quicker to say who it takes no request from.
    assert codes["request.too_slow"] > 0
    assert codes.keys() <= {"request.too_slow", "auth.required"}


@contextmanager
def _slow_bodies(site: Secured) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Over HTTP/2, where a body that breaks off does not break off its connection."""
    words = ["curl", "-sk", "--http2", "-X", "POST", "-H", "Content-Length: 1000", "-T", "-", f"{site.origin}{WHERE}"]
    slow = []
    try:
        for _ in range(SLOW_ONES):
            slow.append(subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
            time.sleep(1)
        yield slow
    finally:
        for each in slow:
            each.kill()
            each.communicate()
