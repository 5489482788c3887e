"""A person with a stack, for the tests of the commands that people give."""

from collections.abc import Iterator

import pytest

from stack import ports
from stack.testing import remove, temporary_layout
from tests.stack.person import Person, all_ports


@pytest.fixture(scope="module")
def offset() -> int:
    """An offset at which nobody listens, not even the stack of a developer."""
    return next(offset for offset in range(50, 950, 50) if all(map(ports.is_free, all_ports(offset))))


@pytest.fixture(scope="module")
def person(offset: int) -> Iterator[Person]:
    """One person for all tests of a module, each of which begins with `up`: a start takes seconds."""
    layout = temporary_layout()
    yield Person(layout.directory, offset)
    remove(layout)
