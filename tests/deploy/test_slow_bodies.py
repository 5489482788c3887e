"""A request whose body comes too slowly: the proxy waits for it as long as its configuration says, and lets nothing of it pass for done."""

import socket
import time

import pytest

from tests.deploy.deployment import Deployment

pytestmark = [pytest.mark.containers, pytest.mark.long, pytest.mark.timeout(900)]
BEGINNING = (
    b"POST /metrics/v1/transactions HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic bm9uZTo=\r\n"
    b'Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"transactions"'
)


def test_a_body_that_comes_too_slowly_is_cut_off_and_nobody_says_that_it_was_recorded(deployment: Deployment) -> None:
    with socket.create_connection(("127.0.0.1", deployment.port), timeout=120) as slow:
        slow.sendall(BEGINNING)
        began = time.monotonic()
        status = slow.recv(65_536).partition(b"\r\n")[0]
        waited = time.monotonic() - began
        rest = slow.recv(65_536)
    assert 25 < waited < 60  # read_body of deploy/proxy/Caddyfile
    assert b" 201 " not in status
    assert rest == b""
