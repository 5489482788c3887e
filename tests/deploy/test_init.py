"""What `init` refuses before it touches anything."""

import os
import subprocess
import sys

import pytest

from stack.layout import ROOT

pytestmark = pytest.mark.slow


def test_an_authority_that_postgresql_would_not_be_checked_by_is_refused() -> None:
    told = os.environ | {"STORES_CA": "/stores/ca.pem", "PGSSLMODE": "prefer"}
    done = subprocess.run([sys.executable, "-m", "deploy", "init"], check=False, capture_output=True, text=True, cwd=ROOT, env=told)
    assert (done.returncode, done.stdout) == (1, "")
    assert "say verify-full" in done.stderr
