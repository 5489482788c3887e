"""The part of CI that needs a Docker engine, where there is none to be had: a line that says so, and a failure only where one is a must."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from stack.layout import ROOT

pytestmark = pytest.mark.slow
UNTESTED = "so the deployment and the container suites are not tested."


def ran(beside: Path, *words: str, **told: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DOCKER_HOST": "unix:///nowhere", "LATCHKEY_ENGINE": str(beside), "REQUIRE_BACKEND": "1", **told}
    return subprocess.run(["bash", ".ci/containers", *words], check=False, capture_output=True, text=True, cwd=ROOT, env=environment)


def program(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/bash\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.mark.parametrize(("backend", "code"), [("1", 0), ("containers", 1)])
def test_no_engine(tmp_path: Path, backend: str, code: int) -> None:
    done = ran(tmp_path, REQUIRE_BACKEND=backend)
    assert (done.returncode, done.stdout.strip()) == (code, f"No Docker engine answers, {UNTESTED}")


@pytest.mark.parametrize(("backend", "code"), [("1", 0), ("containers", 1)])
def test_an_engine_that_does_not_start(tmp_path: Path, backend: str, code: int) -> None:
    program(tmp_path, "engine", 'echo "operation not permitted" >&2; exit 1')
    done = ran(tmp_path, REQUIRE_BACKEND=backend)
    said = f"The Docker engine beside this clone does not start, {UNTESTED} operation not permitted"
    assert (done.returncode, done.stdout.strip()) == (code, said)


def test_an_engine_that_never_ends_to_start(tmp_path: Path) -> None:
    program(tmp_path, "engine", "sleep 600")
    done = ran(tmp_path, LATCHKEY_ENGINE_SECONDS="1")
    assert (done.returncode, done.stdout.strip()) == (0, f"The Docker engine beside this clone does not start, {UNTESTED}")


@pytest.mark.parametrize(("backend", "code"), [("1", 0), ("containers", 1)])
def test_too_little_time_is_left(tmp_path: Path, backend: str, code: int) -> None:
    done = ran(tmp_path, "60", REQUIRE_BACKEND=backend)
    assert (done.returncode, done.stdout.strip()) == (code, f"Only 60 seconds are left, {UNTESTED}")


@pytest.mark.parametrize(("backend", "code"), [("1", 0), ("containers", 1)])
def test_engine_and_images_took_too_long(tmp_path: Path, backend: str, code: int) -> None:
    program(tmp_path, "docker", "exit 0")
    done = ran(tmp_path, "1800", REQUIRE_BACKEND=backend, LATCHKEY_CONTAINERS_LEAST="1801", PATH=f"{tmp_path}:{os.environ['PATH']}")
    assert done.returncode == code
    assert re.search(rf"Only \d+ seconds are left with engine and images at hand, {UNTESTED}", done.stdout)


def test_what_is_not_done_in_time_is_ended_and_fails(tmp_path: Path) -> None:
    """An engine that only says that it works, and tests that go on for ever."""
    program(tmp_path, "docker", "exit 0")
    program(tmp_path, "make", "sleep 600")
    done = ran(tmp_path, PATH=f"{tmp_path}:{os.environ['PATH']}", LATCHKEY_CONTAINERS_SECONDS="2")
    assert done.returncode == 124
    assert re.search(r"✗ The tests on containers were not done after \d+ of 2 seconds, and were ended\.", done.stderr)


def test_what_fails_in_time_fails(tmp_path: Path) -> None:
    program(tmp_path, "docker", "exit 0")
    program(tmp_path, "make", "exit 2")
    assert ran(tmp_path, PATH=f"{tmp_path}:{os.environ['PATH']}").returncode == 2


def test_tests_that_are_told_to_end_say_where_they_were_and_are_waited_for(tmp_path: Path) -> None:
    """An engine that says that it works, and never comes to the end of a build."""
    reached = tmp_path / "reached"
    program(tmp_path, "docker", f'[ "$1" != buildx ] || {{ touch {reached}; exec sleep 600; }}')
    told = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = ["bash", "tests/deploy/run.sh"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=told, start_new_session=True) as running:
        while not reached.exists():
            assert running.poll() is None
            time.sleep(0.1)
        os.killpg(running.pid, signal.SIGTERM)
        said = running.communicate()[0]
    assert running.returncode == 143
    assert "told to end by SIGTERM, in tests/deploy/" in said
