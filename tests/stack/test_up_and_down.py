"""The commands of a person: what they leave, what they keep, and what they say when the machine is not fit."""

import errno
import os
import signal
import socket
import time
from collections.abc import Mapping
from pathlib import Path

import asyncpg
import psutil
import pytest

from stack import ports
from stack.layout import Layout, read_json
from stack.processes import started_at
from stack.trouble import Trouble, disk_full_is_trouble
from stack.up import check_machine
from stack.watch import CHILDREN
from tests.stack.person import Person, all_ports


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
    assert len(all_ports(0)) == len(set(all_ports(0))) == 5 + 4 + 8 + 2


def _parent_of_ours(pids: Mapping[str, int]) -> int:
    [pid] = {psutil.Process(pids[name]).ppid() for name in ports.health_ports()}
    return pid


@pytest.mark.stack
@pytest.mark.timeout(600)
async def test_up_twice_is_harmless_and_down_leaves_nothing_but_the_data(person: Person) -> None:
    person.goes_up()
    endpoints, living = read_json(person.layout.endpoints), person.pids()
    assert set(living) == set(CHILDREN)
    imported_once = _parent_of_ours(living)
    assert set(endpoints) == {"service_client", *ports.SERVICES, "portal", "kafka", "postgres", "redis", "mail"}
    assert set(endpoints["service_client"]) == {"id", "secret"}
    assert person.layout.endpoints.stat().st_mode & 0o777 == 0o600
    assert person.says("status").returncode == 0
    assert f"http://127.0.0.1:{8003 + person.offset}" in person.goes_up()
    assert person.pids() == living

    owner = await asyncpg.connect(endpoints["postgres"]["keys"])
    await owner.execute("CREATE TABLE kept AS SELECT 7 AS value")
    await owner.close()
    assert person.says("down").returncode == 0
    assert not any(map(started_at, [*living.values(), imported_once]))
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
    while "supervisor" in person.pids():
        time.sleep(0.01)  # the kernel takes a moment to end what was killed
    assert set(person.pids()) == set(orphans)
    person.goes_up()
    assert not any(map(started_at, orphans.values()))
    orphans = person.pids()
    imported_once = _parent_of_ours(orphans)
    os.kill(orphans.pop("supervisor"), signal.SIGKILL)
    assert person.says("down").returncode == 0
    assert not any(map(started_at, orphans.values()))
    while started_at(imported_once):
        time.sleep(0.01)  # it hears of the end from the kernel


@pytest.mark.stack
@pytest.mark.timeout(600)
def test_whatever_is_killed_serves_again(person: Person) -> None:
    person.goes_up()
    before = person.pids()
    for pid in (_parent_of_ours(before), *(before[name] for name in set(CHILDREN) - {"supervisor"})):
        os.kill(pid, signal.SIGKILL)
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
