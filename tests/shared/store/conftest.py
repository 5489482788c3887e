"""The toy service's database, for the suites that need PostgreSQL itself."""

from tests.shared.contract.conftest import database

__all__ = ["database"]
