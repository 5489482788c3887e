"""Without the environment variable nothing that makes or sends spans is imported, and nothing is opened."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.slow
PROGRAM = """
import sys
import portal.main, services.registry.main, services.registry.worker, services.keys.worker
from shared import following, traces
from shared.http.exchange import begin
traces.configure_traces("registry", "main")
exchange = begin(None, None)
before = exchange.traceparent
traces.begin_request(exchange, "GET", parent=None)
with traces.carrying("PRODUCER", [("a.B.v1", "s/1", before)]):
    traces.end_request(exchange, "GET", "/")
assert (exchange.span, exchange.traceparent, following.traced(sys)) == (None, before, sys)
heavy = ("shared.spans", "opentelemetry.sdk.trace", "opentelemetry.exporter", "google.protobuf", "requests.")
print(sorted(name for name in sys.modules if name.startswith(heavy)))
"""


def test_nothing_is_imported() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], check=False, capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"})
    assert (done.stdout, done.stderr, done.returncode) == ("[]\n", "", 0)
