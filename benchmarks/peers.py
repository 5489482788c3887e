"""Peers that we are measured beside, set up as their own documentation shows."""

from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event


class Dog(Aggregate):
    """An aggregate with one small event, as in eventsourcing's own introduction."""

    @event("Registered")
    def __init__(self, name: str) -> None:
        self.name = name
        self.tricks = 0

    @event("TrickAdded")
    def trick(self, trick: str) -> None:
        """One event; the count instead of a list, so that the aggregate does not grow."""
        self.tricks += len(trick) > 0


class DogSchool(Application[UUID]):
    """Saves dogs; its notification log is what a projection is rebuilt from."""
