"""What `make audit` makes of pip-audit's answers."""

import subprocess
from pathlib import Path

import pytest

from stack.layout import ROOT

pytestmark = pytest.mark.slow
NOTHING = "✗ Nothing was audited: whoever answers for PyPI on this machine does not offer its vulnerability API."


@pytest.mark.parametrize(
    ("answer", "code", "unasked"),
    [
        ("No known vulnerabilities found", 0, False),
        ("Found 1 known vulnerability in 1 package", 1, False),
        ("ERROR:pip_audit._cli:aiokafka: Dependency not found on PyPI and could not be audited: aiokafka (0.14.0)", 1, True),
    ],
)
def test_an_index_that_cannot_be_asked_is_told_from_a_hole(tmp_path: Path, answer: str, code: int, unasked: bool) -> None:
    (tmp_path / "uv").write_text(f"#!/bin/bash\n[ $1 = export ] || {{ echo '{answer}' >&2; exit {code}; }}\n")
    (tmp_path / "uv").chmod(0o755)
    done = subprocess.run(["make", "audit", f"IN={tmp_path}/"], check=False, capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode > 0, answer in done.stdout, NOTHING in done.stderr) == (code > 0, True, unasked)
