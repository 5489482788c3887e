"""The one fixture that gives tests the real PostgreSQL, Valkey and Kafka, and the law of the unit tests: no socket, two seconds in all."""

import gc
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import pytest
from hypothesis import settings

from stack.databases import Database
from stack.layout import Layout
from stack.testing import RealStack, remove, temporary_layout
from tests.engine import stores_of_this_run
from tests.product import Product, running

_NOT_UNIT = ("stack", "slow", "long", "containers")
_UNIT_RUN = "not stack and not slow and not long and not containers"
_UNIT_SECONDS = 2.0
_law = {"in_unit_test": False}
_spent = {"seconds": 0.0, "tests": 0}
_probes: list[float] = []
_PROBE_SECONDS = 0.00016
_EVERY = 10  # tests between two looks at how quick the machine is


def _no_socket_in_a_unit_test(event: str, _: tuple[object, ...]) -> None:
    if _law["in_unit_test"] and event in {"socket.connect", "socket.bind", "socket.getaddrinfo"}:
        raise RuntimeError("A unit test opens no socket: give it a fake, or mark it `stack` and take the real part.")


sys.addaudithook(_no_socket_in_a_unit_test)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Watch over a unit test: its sockets, and the processor time it takes (which does not depend on what else the machine does)."""
    _law["in_unit_test"] = not any(item.get_closest_marker(name) for name in _NOT_UNIT)
    _spent["tests"] += 1
    if _spent["tests"] % _EVERY == 1:
        _probes.append(_probe())
    began = time.process_time()
    try:
        return (yield)
    finally:
        _law["in_unit_test"] = False
        _spent["seconds"] += time.process_time() - began


def _probe() -> float:
    """Processor time of always the same work."""
    began = time.process_time()
    sorted(str(number) for number in range(2_000))  # nothing that the collector of garbage would look at
    return time.process_time() - began


def _undisturbed_seconds() -> float:
    """What was spent, as a machine would take it on which the probe takes `_PROBE_SECONDS`: a slow processor, or a busy one (caches,
    shared cores), takes more time for the same work, and a probe that is taken all the while tells how much more."""
    slower = median(_probes) / _PROBE_SECONDS if _probes else 1.0
    return _spent["seconds"] / slower


def pytest_collection_finish(session: pytest.Session) -> None:
    """Choose the stores before any test's time runs: images may have to come first. And leave what was imported out of every later
    collection of garbage: it lives as long as the run."""
    if not session.config.option.collectonly and any(item.get_closest_marker("stack") for item in session.items):
        stores_of_this_run()
    gc.collect()
    gc.freeze()


def pytest_configure() -> None:
    """Let SIGTERM, such as `timeout` sends, end the run in order: the stack it started is stopped. No example is timed by the clock."""
    settings.register_profile("latchkey", deadline=None)
    settings.load_profile("latchkey")
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit(f"told to end by SIGTERM, in {os.environ.get('PYTEST_CURRENT_TEST', 'no test')}"))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the unit run when its tests took more than two seconds together."""
    if session.config.option.markexpr == _UNIT_RUN and _undisturbed_seconds() > _UNIT_SECONDS:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say what the unit tests took."""
    if config.option.markexpr == _UNIT_RUN:
        took = _undisturbed_seconds()
        verdict = "too slow" if took > _UNIT_SECONDS else "fine"
        terminalreporter.write_line(
            f"unit tests took {took:.2f} s of {_UNIT_SECONDS:.0f} s ({_spent['seconds']:.2f} s as measured): {verdict}"
        )
    if stores_of_this_run.cache_info().currsize:  # some test started a stack
        terminalreporter.write_line(f"PostgreSQL, Redis and Kafka: {stores_of_this_run()} (LATCHKEY_TEST_STACK=containers or local)")


@pytest.fixture(scope="session")
def stack() -> Iterator[RealStack]:
    """Return the one stack of this run: its own in a temporary folder, or that of LATCHKEY_TEST_STACK_DIR, which is left running."""
    shared = os.environ.get("LATCHKEY_TEST_STACK_DIR")
    if shared:
        found = RealStack(Layout(Path(shared).resolve()))
        found.start()
        yield found
    else:
        yield from _own_stack()


@pytest.fixture(scope="session")
def _stack_to_break() -> Iterator[RealStack]:
    yield from _own_stack()


@pytest.fixture
def breakable_stack(_stack_to_break: RealStack) -> Iterator[RealStack]:
    """Return a second stack, for tests that stop or kill a part; whatever they left stopped runs again for the next test."""
    _stack_to_break.start()
    yield _stack_to_break
    _stack_to_break.start()


@pytest.fixture(scope="session")
def _stack_of_product() -> Iterator[RealStack]:
    yield from _own_stack()


@pytest.fixture(scope="session")
def product(_stack_of_product: RealStack) -> Iterator[Product]:
    """Return the whole product, all eight processes; a test that breaks one, or a part, starts it again.

    It has a stack to itself: its relays write to the same topics as the toy's, and would answer there for what a test took away.
    """
    with running(_stack_of_product) as made:
        yield made


@pytest.fixture
def fresh_database(stack: RealStack) -> Iterator[Callable[[str], Database]]:
    """Return a function that makes an empty database with its role triple for a service; all of them are dropped after the test."""
    made: list[Database] = []

    def make(service: str) -> Database:
        made.append(stack.fresh_database(service))
        return made[-1]

    yield make
    for database in made:
        stack.drop(database)


@pytest.fixture(scope="session")
def local_stack() -> Iterator[RealStack]:
    """Return a stack of processes of this machine, wherever the other tests' is: for what is said of these processes alone."""
    yield from _local_stack()


def _own_stack() -> Iterator[RealStack]:
    if stores_of_this_run() == "local":
        yield from _local_stack()
    else:
        from tests.containers import own_container_stack  # testcontainers takes a second to import

        yield from own_container_stack(temporary_layout())


def _local_stack() -> Iterator[RealStack]:
    layout = temporary_layout()
    found = RealStack(layout)
    try:
        found.start()
        yield found
    finally:
        found.stop()
        remove(layout)
