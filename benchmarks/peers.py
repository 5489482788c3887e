"""Peers that we are measured beside, set up as their own documentation shows."""

from functools import singledispatchmethod
from typing import Any
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresDatastore, PostgresTrackingRecorder
from eventsourcing.projection import Projection
from psycopg.sql import SQL, Identifier


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


class TrickCounts(PostgresTrackingRecorder):
    """A materialised view: how many tricks each dog knows, with the tracking row in the same transaction."""

    def __init__(self, datastore: PostgresDatastore, **rest: Any) -> None:
        super().__init__(datastore, **rest)
        table = SQL("{0}.{1}").format(Identifier(self.datastore.schema), Identifier("trick_counts"))
        self.sql_create_statements.append(SQL("CREATE TABLE IF NOT EXISTS {0} (dog text PRIMARY KEY, tricks int)").format(table))
        self._upsert = SQL("INSERT INTO {0} VALUES (%s, 1) ON CONFLICT (dog) DO UPDATE SET tricks = {0}.tricks + 1").format(table)

    def count(self, dog: str, tracking: Tracking) -> None:
        """One more."""
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(self._upsert, (dog,))


class TrickProjection(Projection[TrickCounts]):
    """Events → rows, one transaction an event, as eventsourcing's projection runner does it."""

    @singledispatchmethod
    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        """Count every event of a dog."""
        self.view.count(str(domain_event.originator_id), tracking)
