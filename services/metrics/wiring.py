"""The one place where metrics' objects are built."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

from latchkey.consumer import Consumer
from latchkey.topics import IDENTITY_ACCOUNT_EVENTS, KEYS_KEYRING_EVENTS, REGISTRY_APP_EVENTS
from latchkey.verifier import LocalVerifier

from services.metrics.api.cors import OpenToBrowsers
from services.metrics.api.keys import KeyDesk, Verifier
from services.metrics.api.routes import router
from services.metrics.commands import TransactionCommands
from services.metrics.domain import refusals, transaction
from services.metrics.domain.events import STORED, RefusalEvent, TransactionEvent
from services.metrics.domain.refusals import Refusals
from services.metrics.domain.transaction import Transaction
from services.metrics.projections.apps import Apps
from services.metrics.projections.pairs import Pairs
from services.metrics.projections.refusals import Refusals as RefusalRows
from services.metrics.projections.rollups import Daily, Rollups
from services.metrics.projections.transactions import Transactions
from services.metrics.publications import publish
from services.metrics.queries.domains import DomainQueries
from services.metrics.queries.lists import ListQueries
from services.metrics.queries.matching import PLANNING
from services.metrics.queries.positions import APPS, AppPositions
from services.metrics.queries.sums import SumQueries
from services.metrics.settings import Settings
from services.metrics.timers import Months
from shared import telemetry, worker
from shared.events import EventRegistry
from shared.feeds import opened_feeds
from shared.following import traced
from shared.http.app import ServiceApp, create_app
from shared.http.feed import PublicLog
from shared.http.health import Check
from shared.http.jwks import JwksKeys
from shared.http.revocations import KafkaRevocations
from shared.http.serving import WORKER_INTERNAL
from shared.http.tokens import TokenChecker
from shared.ops.kit import Toolbox
from shared.rebuild.foreign import ForeignView
from shared.relay.relay import RelaySettings, topics_of
from shared.sealing import derive_key
from shared.store.aggregates import Aggregates
from shared.store.contract import View
from shared.store.freeze import AggregateType
from shared.store.postgres import StoreSettings, create_pool, open_store, unwritable
from shared.wake import RedisWake

SERVICE: Final = "metrics"
SOURCE: Final = "/metrics"
MIGRATIONS: Final = Path(__file__).parent / "migrations"
VIEWS: Final[tuple[View, ...]] = (Transactions(), Rollups(), Daily(), RefusalRows())
EVENTS: Final[EventRegistry[TransactionEvent | RefusalEvent]] = EventRegistry(STORED)
TRANSACTION: Final[AggregateType[Transaction, TransactionEvent]] = AggregateType(
    "transaction", SOURCE, EVENTS, lambda _: Transaction(), transaction.evolve, publish=publish
)
REFUSAL: Final[AggregateType[Refusals, RefusalEvent]] = AggregateType("refusals", SOURCE, EVENTS, lambda _: Refusals(), refusals.evolve)
FOREIGN: Final = (
    ForeignView(APPS, ("apps", "erased_accounts"), Apps(), (REGISTRY_APP_EVENTS, IDENTITY_ACCOUNT_EVENTS)),
    ForeignView("pairs", ("pairs",), Pairs(), (KEYS_KEYRING_EVENTS,)),
)
BODY_LIMIT: Final = 2 * 1024 * 1024  # a batch of 1,000 in which every field is as long as it may be would be refused; a usual one is 250 kB
APPEND_SECONDS: Final = 4.0  # a group of batches holds up to 5,000 events, each a row in four views
MONTHS_SECONDS: Final = 3_600.0


@asynccontextmanager
async def build_main(settings: Settings) -> AsyncIterator[ServiceApp]:
    """The HTTP process."""
    async with AsyncExitStack() as opened:
        verifier = LocalVerifier(settings.kafka, bound_ms=settings.verifier_bound_ms)
        opened.push_async_callback(verifier.stop)
        await verifier.start()
        signing = await opened.enter_async_context(JwksKeys(f"{settings.identity_url}/.well-known/jwks.json"))
        revocations = await opened.enter_async_context(KafkaRevocations(settings.kafka))
        tokens = TokenChecker(signing, revocations)
        yield await opened.enter_async_context(build_app(settings, verifier, tokens, [Check("keys", lambda: _fresh(verifier))]))


@asynccontextmanager
async def build_app(settings: Settings, verifier: Verifier, tokens: TokenChecker, ready: Sequence[Check]) -> AsyncIterator[ServiceApp]:
    """The HTTP app on its database, whoever judges keys and tokens."""
    async with AsyncExitStack() as opened:
        wake = await opened.enter_async_context(RedisWake(settings.redis_url, SERVICE, listen=False))
        store_settings = StoreSettings(settings.database_url, settings.master_key, transaction_seconds=APPEND_SECONDS)
        store, pool = await opened.enter_async_context(open_store(store_settings, VIEWS, {}, wake))
        reading = await create_pool(settings.read_database_url, **PLANNING)
        opened.push_async_callback(reading.close)
        commands = TransactionCommands(
            Aggregates(TRANSACTION, store), Aggregates(REFUSAL, store), derive_key(settings.master_key, "transaction-fingerprint")
        )
        desk = KeyDesk(verifier, commands, DomainQueries(reading))
        app = create_app(
            SERVICE, routers=[router], tokens=tokens, settings=settings, body_limit=BODY_LIMIT,
            provides=[commands, desk, SumQueries(reading), ListQueries(reading), AppPositions(pool), PublicLog(pool)],
            ready=[Check("database", lambda: unwritable(pool, VIEWS)), *ready], pools={"log": pool, "reading": reading},
        )  # fmt: skip
        app.add_middleware(OpenToBrowsers)
        yield app


@asynccontextmanager
async def build_worker(settings: Settings) -> AsyncIterator[worker.Worker]:
    """The process that publishes, hears of apps and pairs, and makes the months to come."""
    async with AsyncExitStack() as opened:
        wake = await opened.enter_async_context(RedisWake(settings.redis_url, SERVICE))
        pool = await create_pool(settings.database_url)
        opened.push_async_callback(pool.close)
        kafka, registry = settings.kafka, telemetry.registry()
        feeds = await opened.enter_async_context(opened_feeds(settings, [topic for view in FOREIGN for topic in view.topics]))
        listening = [
            Consumer(kafka, pool, traced(view.handler), view.topics, f"metrics-{view.name}", name=view.name, source=feeds)
            for view in FOREIGN
        ]
        parts = [
            *worker.relay(RelaySettings(settings.database_url, kafka, topics_of(SERVICE)), wake, pool, registry),
            *(worker.consumer(view.name, consumer) for view, consumer in zip(FOREIGN, listening, strict=True)),
            worker.timer("months", settings.database_url, MONTHS_SECONDS, Months(pool).make),
        ]
        yield worker.Worker(parts, registry, host=settings.host, port=settings.port + WORKER_INTERNAL)


def build_toolbox(settings: Settings) -> Toolbox:
    """What the operators' commands work with."""
    return Toolbox(
        SERVICE, settings.database_url, settings.owner_database_url, settings.master_key, MIGRATIONS, VIEWS, EVENTS,
        foreign=FOREIGN, kafka=settings.kafka, feeds=partial(opened_feeds, settings),
    )  # fmt: skip


async def _fresh(verifier: LocalVerifier) -> str | None:
    return None if verifier.fresh else "the table of keys is too old to judge by"
