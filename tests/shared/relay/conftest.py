"""The toy service's database, for the relay's suites."""

from tests.shared.contract.conftest import database

__all__ = ["database"]
