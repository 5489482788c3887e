"""The stack as tests see it: addresses, fresh databases and topics, and a switch for each part."""

import itertools
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from latchkey.topics import TOPICS, Topic

from stack.accounts import reachable, unprivileged
from stack.blocking import run
from stack.databases import Database, drop_database, make_database
from stack.down import stop_leftovers
from stack.endpoints import part_endpoints, write_part_endpoints
from stack.layout import Layout, read_json, write_json
from stack.parts import Parts
from stack.ports import free_part_ports
from stack.processes import Child, started_at
from stack.topics import make_topics

_PREFIX = "latchkey-tests-"


def temporary_layout() -> Layout:
    """Return a new folder for a stack of this test run, and first clear away what runs that were killed have left, processes included."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        owner = read_json(folder / "owner.json") if os.access(folder, os.W_OK) else None
        if owner is not None and started_at(owner["pid"]) != owner["started"]:
            remove(Layout(folder))
    layout = Layout(Path(tempfile.mkdtemp(prefix=_PREFIX)))
    layout.make()
    write_json(layout.directory / "owner.json", {"pid": os.getpid(), "started": started_at(os.getpid())})
    return layout


def remove(layout: Layout) -> None:
    """Stop whatever runs in this folder, and remove it."""
    Child(layout, "supervisor").stop(seconds=60)
    stop_leftovers(layout)
    shutil.rmtree(reachable(layout.data / "postgres", unprivileged()), ignore_errors=True)
    shutil.rmtree(layout.directory, ignore_errors=True)


class RealStack:
    """The four parts of one folder. Every method blocks until it is done, and may be called inside or outside an event loop."""

    _count = itertools.count(1)

    def __init__(self, layout: Layout, parts: Parts | None = None) -> None:
        """`parts` are given where they are not processes of this machine."""
        layout.make()
        self.parts = parts or Parts.of(layout, free_part_ports(layout))
        self.endpoints = part_endpoints(self.parts)
        self.postgres, self.valkey, self.kafka, self.mail = self.parts.postgres, self.parts.valkey, self.parts.kafka, self.parts.mail
        self.superuser_dsn, self.redis_url, self.bootstrap = self.postgres.dsn, self.valkey.url, self.kafka.bootstrap
        self.mail_directory = layout.mail

    def start(self) -> None:
        """Start what does not run and make the topics of the public contract that are missing."""
        with self.mail.layout.locked():
            self.parts.start()
            write_part_endpoints(self.parts)
            self.make_topics(*TOPICS)

    def stop(self) -> None:
        """Stop all parts."""
        self.parts.stop()

    def fresh_database(self, service: str) -> Database:
        """Make an empty database that no other test has, with its roles `<name>_owner`, `<name>_app` and `<name>_read`."""
        name = f"{service}_t{os.getpid()}_{next(self._count)}"
        return run(make_database(self.superuser_dsn, name, secrets.token_urlsafe(16)))

    def drop(self, database: Database) -> None:
        """Drop a database of `fresh_database`, whoever still is connected to it."""
        run(drop_database(self.superuser_dsn, database.name))

    def make_topics(self, *topics: Topic) -> None:
        """Make those topics that are missing."""
        run(make_topics(self.bootstrap, topics))

    def empty_topics(self, *topics: Topic) -> None:
        """Delete these topics, or all of the public contract, and make them again, empty, with partitions that begin at offset 0."""
        chosen = topics or TOPICS
        run(_delete(self.bootstrap, [topic.name for topic in chosen]))
        self.make_topics(*chosen)


async def _delete(bootstrap: str, names: Iterable[str]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.delete_topics(list(set(names) & set(await admin.list_topics())))
    finally:
        await admin.close()
