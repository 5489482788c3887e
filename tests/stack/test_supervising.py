"""The supervisor starts again what dies, stops what it started, and whoever comes after a dead one can still stop it."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from rich.console import Console

from stack.board import Board, Report, read_board
from stack.down import down
from stack.layout import ROOT, Layout, read_json, write_json
from stack.parts.part import Part
from stack.plan import Plan, Step
from stack.ports import free_ports
from stack.processes import Child, Command, started_at
from stack.supervisor import Supervisor
from stack.trouble import Trouble

pytestmark = pytest.mark.slow


class Echo(Part):
    """A process that listens on its port and greets."""

    name = "echo"
    program = "import socket\ns = socket.create_server(('127.0.0.1', {port}))\nwhile True: c, _ = s.accept(); c.send(b'hello'); c.close()"

    def prepare(self) -> None:
        """Nothing."""

    def command(self) -> Command:
        return Command((sys.executable, "-c", self.program.format(port=self.port)))

    def answers(self) -> bool:
        return self.talk() == b"hello"


class Stillborn(Echo):
    """A process that ends at once, with a reason."""

    name = "stillborn"
    program = "raise SystemExit('no table named spoons')"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path)
    made.make()
    return made


def started(layout: Layout, plan: Plan) -> tuple[threading.Event, threading.Thread]:
    over = threading.Event()
    supervisor = Supervisor(plan, Board(layout, [step.name for step in plan.steps]), over)
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    return over, thread


def eventually(layout: Layout, holds: Callable[[Report], bool]) -> Report:
    for _ in range(400):
        report = read_board(layout)
        if report is not None and holds(report):
            return report
        time.sleep(0.05)
    raise AssertionError(read_board(layout))


def test_a_killed_child_is_started_again_and_the_death_is_reported(layout: Layout) -> None:
    echo = Echo(layout, free_ports(1)[0])
    over, thread = started(layout, Plan((Step("echo", echo.start, keeps=echo),), ([echo],)))
    eventually(layout, lambda report: report.phase == "up")
    first = echo.child.pid
    echo.child.send(signal.SIGKILL)
    report = eventually(layout, lambda report: report.lines["echo"].deaths == 1 and report.lines["echo"].state == "up")
    assert report.lines["echo"].detail == "was started again"
    assert echo.child.pid not in {None, first}
    over.set()
    thread.join()
    assert echo.child.pid is None


def test_a_child_that_cannot_live_ends_the_start_with_its_last_words_and_stops_the_others(layout: Layout) -> None:
    one, two = free_ports(2)
    echo, stillborn = Echo(layout, one), Stillborn(layout, two)
    plan = Plan(
        (Step("echo", echo.start, keeps=echo), Step("stillborn", stillborn.start, needs=("echo",), keeps=stillborn)), ([stillborn, echo],)
    )
    _, thread = started(layout, plan)
    report = eventually(layout, lambda report: report.phase == "failed")
    thread.join()
    assert "stillborn ends as soon as it starts" in report.trouble
    assert "no table named spoons" in report.trouble
    assert echo.child.pid is None


def test_a_step_waits_for_those_it_needs_and_is_not_begun_when_one_fails(layout: Layout) -> None:
    begun: list[str] = []

    def fails() -> None:
        begun.append("first")
        raise Trouble("the disk is full")

    _, thread = started(layout, Plan((Step("first", fails), Step("second", lambda: begun.append("second"), needs=("first",))), ()))
    thread.join()
    assert begun == ["first"]
    assert eventually(layout, lambda report: report.phase == "failed").trouble == "the disk is full"


def test_a_failure_ends_the_start_without_waiting_for_the_others(layout: Layout) -> None:
    class Silent(Echo):
        name = "silent"
        program = "import time\ntime.sleep(600)"

    def fails() -> None:
        raise KeyError("spoons")

    over = threading.Event()
    silent = Silent(layout, free_ports(1)[0])
    plan = Plan((Step("silent", partial(silent.start, over=over), keeps=silent), Step("tables", fails)), ([silent],))
    began = time.monotonic()
    assert Supervisor(plan, Board(layout, ["silent", "tables"]), over).run() == 1
    assert time.monotonic() - began < 10
    assert eventually(layout, lambda report: report.phase == "failed").trouble == "tables: KeyError('spoons')"
    assert silent.child.pid is None


def test_down_stops_what_a_killed_supervisor_left(layout: Layout) -> None:
    echo = Echo(layout, free_ports(1)[0])
    echo.start()
    down(layout, Console(quiet=True))
    assert echo.child.pid is None
    down(layout, Console(quiet=True))


def test_a_reused_pid_is_not_taken_for_ours(layout: Layout) -> None:
    echo = Echo(layout, free_ports(1)[0])
    echo.start()
    record = layout.pids / "echo.json"
    mine = read_json(record)
    write_json(record, {**mine, "started": mine["started"] + 1})
    stranger = Child(layout, "echo")
    stranger.stop()
    assert stranger.pid is None
    assert started_at(mine["pid"]) == mine["started"]
    write_json(record, mine)
    echo.stop()
    assert started_at(mine["pid"]) is None


def test_a_child_that_ignores_the_request_to_end_is_ended(layout: Layout) -> None:
    class Deaf(Echo):
        name = "deaf"
        program = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + Echo.program

    deaf = Deaf(layout, free_ports(1)[0])
    deaf.start()
    deaf.child.stop(seconds=0.2)
    assert deaf.child.pid is None


def test_one_that_died_before_it_was_known_is_gone(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.make()
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    child = Child(layout, "gone")
    child.record(gone.pid)
    assert child.pid is None


def test_nothing_is_forked_for_one_that_is_dead(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.make()
    asked = json.dumps({"module": "stack.forked", "name": "orphan", "environment": {}, "directory": str(tmp_path)})
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    command = [sys.executable, "-m", "stack.forked", str(dead.pid)]
    done = subprocess.run(command, input=asked, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == ""
    assert read_json(layout.pids / "orphan.json") is None
