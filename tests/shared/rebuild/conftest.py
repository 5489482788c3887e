"""The toy service's database, for the rebuild's suites."""

from tests.shared.contract.conftest import database

__all__ = ["database"]
