"""The demo, while any one process is killed under its ingest: every total is still what the file says."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

from stack.layout import ROOT
from stack.watch import CHILDREN
from tests.stack.person import Person

pytestmark = [pytest.mark.stack, pytest.mark.timeout(600)]


def demo_during_whose_ingest(person: Person, strike: Callable[[], None]) -> str:
    """Run the demo on a stack that is up, strike once it begins to send, and return what it told. Its keys are saved just before."""
    keys = person.layout.directory / "demo-keys.env"
    keys.unlink(missing_ok=True)
    command = [sys.executable, "-m", "demo", "--keep", "--dir", str(person.layout.directory)]
    with subprocess.Popen(
        command, cwd=ROOT, env=person.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as demo:
        while not keys.exists():
            assert demo.poll() is None, demo.communicate()[0]
            time.sleep(0.01)
        time.sleep(0.2)  # so that some of the purchases are there and others are not
        strike()
        told, _ = demo.communicate(timeout=300)
    assert demo.returncode == 0, told
    return told


def assert_no_total_changes_when_killed(person: Person, name: str) -> None:
    person.goes_up()
    before = person.pids()[name]
    told = demo_during_whose_ingest(person, lambda: os.kill(before, signal.SIGKILL))
    assert "33 totals checked against the file, all equal" in told
    assert before not in person.pids().values(), f"{name} was never killed"


@pytest.mark.parametrize("name", ["metrics-main"])
def test_a_killed_receiver_changes_no_total(person: Person, name: str) -> None:
    assert_no_total_changes_when_killed(person, name)


@pytest.mark.long
@pytest.mark.parametrize("name", sorted({*CHILDREN} - {"supervisor", "metrics-main"}))
def test_any_killed_process_changes_no_total(person: Person, name: str) -> None:
    assert_no_total_changes_when_killed(person, name)
