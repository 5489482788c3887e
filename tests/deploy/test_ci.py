"""The part of CI that needs a Docker engine, where there is none to be had: a line that says so, and a failure only where one is a must."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from stack.layout import ROOT

pytestmark = pytest.mark.slow
UNTESTED = "so the deployment and the container suites are not tested."


def ran(beside: Path, **told: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DOCKER_HOST": "unix:///nowhere", "LATCHKEY_ENGINE": str(beside), "REQUIRE_BACKEND": "1", **told}
    return subprocess.run(["bash", ".ci/containers"], check=False, capture_output=True, text=True, cwd=ROOT, env=environment)


def an_engine(folder: Path, script: str) -> None:
    (folder / "engine").write_text(f"#!/bin/bash\n{script}\n")
    (folder / "engine").chmod(0o755)


@pytest.mark.parametrize(("backend", "code"), [("1", 0), ("containers", 1)])
def test_no_engine(tmp_path: Path, backend: str, code: int) -> None:
    done = ran(tmp_path, REQUIRE_BACKEND=backend)
    assert (done.returncode, done.stdout.strip()) == (code, f"No Docker engine answers, {UNTESTED}")


@pytest.mark.parametrize(("backend", "code"), [("1", 0), ("containers", 1)])
def test_an_engine_that_does_not_start(tmp_path: Path, backend: str, code: int) -> None:
    an_engine(tmp_path, 'echo "operation not permitted" >&2; exit 1')
    done = ran(tmp_path, REQUIRE_BACKEND=backend)
    said = f"The Docker engine beside this clone does not start, {UNTESTED} operation not permitted"
    assert (done.returncode, done.stdout.strip()) == (code, said)


def test_an_engine_that_never_ends_to_start(tmp_path: Path) -> None:
    an_engine(tmp_path, "sleep 600")
    done = ran(tmp_path, LATCHKEY_ENGINE_SECONDS="1")
    assert (done.returncode, done.stdout.strip()) == (0, f"The Docker engine beside this clone does not start, {UNTESTED}")


def test_what_is_not_done_in_time_is_ended_and_fails(tmp_path: Path) -> None:
    """An engine that only says that it works, and tests that go on for ever."""
    for name, script in (("docker", "exit 0"), ("make", "sleep 600")):
        (tmp_path / name).write_text(f"#!/bin/bash\n{script}\n")
        (tmp_path / name).chmod(0o755)
    done = ran(tmp_path, PATH=f"{tmp_path}:{os.environ['PATH']}", LATCHKEY_CONTAINERS_SECONDS="2")
    assert done.returncode == 124
    assert re.search(r"✗ The tests on containers were not done after \d+ of 2 seconds, and were ended\.", done.stderr)


def test_what_fails_in_time_fails(tmp_path: Path) -> None:
    for name, script in (("docker", "exit 0"), ("make", "exit 2")):
        (tmp_path / name).write_text(f"#!/bin/bash\n{script}\n")
        (tmp_path / name).chmod(0o755)
    assert ran(tmp_path, PATH=f"{tmp_path}:{os.environ['PATH']}").returncode == 2
