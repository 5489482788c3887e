"""The commands of a person: what they leave, what they keep, and what they say when the machine is not fit."""

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from stack import ports
from stack.layout import ROOT, Layout, read_json
from stack.processes import started_at
from stack.testing import remove, temporary_layout
from stack.trouble import Trouble, disk_full_is_trouble
from stack.up import check_machine
from stack.watch import CHILDREN


def all_ports(offset: int) -> list[int]:
    health = [port + above for port in ports.SERVICES.values() for above in ports.HEALTH.values()]
    return [port + offset for port in [*vars(ports.fixed_part_ports()).values(), *ports.SERVICES.values(), *health]]


@pytest.fixture(scope="module")
def offset() -> int:
    """An offset at which nobody listens, not even the stack of a developer."""
    return next(offset for offset in range(50, 950, 50) if all(map(ports.is_free, all_ports(offset))))


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path)
    made.make()
    return made


@pytest.mark.slow
def test_a_taken_port_is_a_sentence_that_names_it(layout: Layout, offset: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LATCHKEY_PORT_OFFSET", str(offset))
    port = 8003 + offset
    with socket.create_server((ports.HOST, port)), pytest.raises(Trouble, match=f"Port {port}, which keys needs, is taken"):
        check_machine(layout)


def test_a_missing_java_is_a_sentence_that_names_the_package(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(layout.directory))
    with pytest.raises(Trouble, match="apt-get install openjdk-17-jre-headless"):
        check_machine(layout)


def test_a_full_disk_is_a_sentence_that_names_the_folder(layout: Layout) -> None:
    with pytest.raises(Trouble, match=f"{layout.directory} is full: free 1 GB"), disk_full_is_trouble(layout.directory):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_every_port_of_a_stack_is_its_own() -> None:
    assert len(all_ports(0)) == len(set(all_ports(0))) == 5 + 4 + 8


class Person:
    """Somebody who gives commands to a stack in a folder of its own."""

    def __init__(self, directory: Path, offset: int) -> None:
        self.layout, self.offset = Layout(directory), offset

    def says(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "stack", words[0], "--dir", str(self.layout.directory), *words[1:]]
        environment = {**os.environ, "LATCHKEY_PORT_OFFSET": str(self.offset), "COLUMNS": "200"}
        return subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL)

    def goes_up(self) -> str:
        result = self.says("up")
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout

    def pids(self) -> dict[str, int]:
        records = {name: read_json(self.layout.pids / f"{name}.json") for name in CHILDREN}
        return {name: record["pid"] for name, record in records.items() if record and started_at(record["pid"]) == record["started"]}


@pytest.fixture(scope="module")
def person(offset: int) -> Iterator[Person]:
    """One person for all tests, each of which begins with `up`: a start takes seconds."""
    layout = temporary_layout()
    yield Person(layout.directory, offset)
    remove(layout)


@pytest.mark.stack
@pytest.mark.timeout(600)
async def test_up_twice_is_harmless_and_down_leaves_nothing_but_the_data(person: Person) -> None:
    person.goes_up()
    endpoints, living = read_json(person.layout.endpoints), person.pids()
    assert set(living) == set(CHILDREN)
    assert set(endpoints) == {"service_client", *ports.SERVICES, "kafka", "postgres", "redis", "mail"}
    assert set(endpoints["service_client"]) == {"id", "secret"}
    assert person.layout.endpoints.stat().st_mode & 0o777 == 0o600
    assert person.says("status").returncode == 0
    assert f"http://127.0.0.1:{8003 + person.offset}" in person.goes_up()
    assert person.pids() == living

    owner = await asyncpg.connect(endpoints["postgres"]["keys"])
    await owner.execute("CREATE TABLE kept AS SELECT 7 AS value")
    await owner.close()
    assert person.says("down").returncode == 0
    assert not any(map(started_at, living.values()))
    assert not person.layout.endpoints.exists()

    person.goes_up()
    assert read_json(person.layout.endpoints) == endpoints
    owner = await asyncpg.connect(endpoints["postgres"]["keys"])
    assert await owner.fetchval("SELECT value FROM kept") == 7
    await owner.close()


@pytest.mark.stack
@pytest.mark.timeout(600)
def test_down_and_up_find_what_a_killed_supervisor_left(person: Person) -> None:
    person.goes_up()
    orphans = person.pids()
    os.kill(orphans.pop("supervisor"), signal.SIGKILL)
    assert set(person.pids()) == set(orphans)
    person.goes_up()
    assert not any(map(started_at, orphans.values()))
    orphans = person.pids()
    os.kill(orphans.pop("supervisor"), signal.SIGKILL)
    assert person.says("down").returncode == 0
    assert not any(map(started_at, orphans.values()))


@pytest.mark.stack
@pytest.mark.timeout(600)
def test_whatever_is_killed_serves_again(person: Person) -> None:
    person.goes_up()
    before = person.pids()
    for name in set(CHILDREN) - {"supervisor"}:
        os.kill(before[name], signal.SIGKILL)
    deadline = time.monotonic() + 60
    while person.says("status").returncode != 0:
        assert time.monotonic() < deadline, person.says("status").stdout
    after = person.pids()
    assert {name for name in CHILDREN if after[name] != before[name]} == set(CHILDREN) - {"supervisor"}


@pytest.mark.stack
@pytest.mark.timeout(600)
def test_clean_asks_and_removes_everything(person: Person) -> None:
    person.goes_up()
    living = person.pids()
    assert "Nothing was removed" in person.says("clean").stderr
    assert person.layout.directory.exists()
    assert person.pids() == living
    assert person.says("clean", "--yes").returncode == 0
    assert not any(map(started_at, living.values()))
    assert not person.layout.directory.exists()
