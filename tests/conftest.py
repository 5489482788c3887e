"""The one fixture that gives tests the real PostgreSQL, Valkey and Kafka."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stack.databases import Database
from stack.layout import Layout
from stack.testing import RealStack


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


def _own_stack() -> Iterator[RealStack]:
    directory = Path(tempfile.mkdtemp(prefix="latchkey-tests-"))
    found = RealStack(Layout(directory))
    try:
        found.start()
        yield found
    finally:
        found.stop()
        shutil.rmtree(directory, ignore_errors=True)
