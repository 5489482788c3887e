"""A customer per app and a line on the bill per rotation of its keys, each exactly once: `python billing.py`."""

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg
from latchkey.consumer import Consumer, KafkaAccess, install
from latchkey.envelope import Envelope
from latchkey.events.keys import KeyRotated
from latchkey.events.registry import AppErased, AppRegistered
from latchkey.topics import KEYS_KEYRING_EVENTS, REGISTRY_APP_EVENTS

TABLES = """
CREATE TABLE IF NOT EXISTS customers (app_id text PRIMARY KEY, owner_id text NOT NULL, name text, since timestamptz NOT NULL);
CREATE TABLE IF NOT EXISTS bill (event_id text PRIMARY KEY, app_id text NOT NULL, what text NOT NULL, at timestamptz NOT NULL)
"""


class Billing:
    """Writes rows and nothing else. An app and its keys come over two topics in any order, so neither row needs the other."""

    async def apply(self, db: asyncpg.Connection, events: Sequence[Envelope]) -> None:
        """See latchkey.consumer.Handler."""
        for event in events:
            match event.data:
                case AppRegistered(app_id=app_id, owner_id=owner_id, name=name, registered_at=at):
                    await db.execute("INSERT INTO customers VALUES ($1, $2, $3, $4)", app_id, owner_id, name, at)
                    say(f"AppRegistered {app_id} {name}")
                case AppErased(app_id=app_id):
                    await db.execute("UPDATE customers SET name = NULL WHERE app_id = $1", app_id)
                case KeyRotated(app_id=app_id, environment=environment, old_pair_id=old, new_pair_id=new):
                    await db.execute("INSERT INTO bill VALUES ($1, $2, 'rotation', $3)", event.id, app_id, event.time)
                    say(f"KeyRotated {app_id} {environment} {old} {new}")
                case _:
                    pass  # what else there is costs nothing


def say(line: str) -> None:
    """Print at once. A line comes before its commit, so after a crash it may come again; its row does not."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def kafka() -> KafkaAccess:
    """Where Kafka is, and who we are where it asks."""
    password = os.environ.get("KAFKA_PASSWORD_FILE")
    return KafkaAccess(os.environ["KAFKA"], os.environ.get("KAFKA_USER"), Path(password) if password else "")


def database() -> dict[str, Any]:
    """Where our rows go: an address, and the file that holds its password where the address has none."""
    file = os.environ.get("DATABASE_PASSWORD_FILE")
    password = {"password": Path(file).read_text("utf-8").strip()} if file else {}
    return {"dsn": os.environ["DATABASE_URL"], **password}


async def main() -> None:
    """Consume until told to stop."""
    async with asyncpg.create_pool(**database(), min_size=1, max_size=4) as pool:
        owner = await asyncpg.connect(**database())
        await install(owner)
        await owner.execute(TABLES)
        await owner.close()
        topics = os.environ.get("TOPICS", f"{REGISTRY_APP_EVENTS},{KEYS_KEYRING_EVENTS}").split(",")
        consumer = Consumer(kafka(), pool, Billing(), topics, os.environ.get("GROUP", "billing-consumer"), name="billing")
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        running = asyncio.create_task(consumer.run())
        await stopping.wait()
        await consumer.stop()
        await running


if __name__ == "__main__":
    asyncio.run(main())
