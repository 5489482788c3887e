"""The one place where the objects of keys are built."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import asyncpg
from latchkey.consumer import Consumer, KafkaAccess, Sources
from latchkey.judging import Code
from latchkey.topics import IDENTITY_ACCOUNT_EVENTS, KEYS_VERIFIER_STATE, REGISTRY_APP_EVENTS, REGISTRY_SUBSCRIPTION_EVENTS
from prometheus_client import Gauge

from services.keys.api import verify_docs
from services.keys.api.routes import router
from services.keys.api.verify import PATH, VerifyRoute
from services.keys.api.verifying import Verifying
from services.keys.commands import KeyCommands
from services.keys.domain import keyring
from services.keys.domain.events import STORED, KeyringEvent
from services.keys.domain.keyring import Keyring
from services.keys.projections.foreign import Apps, ErasedAccounts, Foreign, Subscriptions
from services.keys.projections.keyrings import Keyrings
from services.keys.projections.usage import FOLD_SECONDS, UsageCounter, fold
from services.keys.projections.verifier_table import VerifierTable
from services.keys.publications import publish, ring_record, states
from services.keys.queries.clock import DatabaseClock
from services.keys.queries.history import HistoryQueries
from services.keys.queries.pairs import PairQueries
from services.keys.queries.whereabouts import FOREIGN, REACTIONS, Whereabouts
from services.keys.reactions import Reactions
from services.keys.settings import Settings
from services.keys.timers import Deadlines
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
from shared.relay.heartbeat import Heartbeat
from shared.relay.relay import RelaySettings, topics_of
from shared.store.aggregates import Aggregates
from shared.store.freeze import AggregateType
from shared.store.postgres import StoreSettings, open_store, unwritable
from shared.wake import RedisWake

SERVICE: Final = "keys"
SOURCE: Final = "/keys"
MIGRATIONS: Final = Path(__file__).parent / "migrations"
VIEWS: Final = (Keyrings(),)
EVENTS: Final[EventRegistry[KeyringEvent]] = EventRegistry(STORED)
KEYRING: Final[AggregateType[Keyring, KeyringEvent]] = AggregateType(
    "keyring", SOURCE, EVENTS, Keyring, keyring.evolve, publish=publish, states=states
)
LISTENS_TO: Final = (REGISTRY_APP_EVENTS, REGISTRY_SUBSCRIPTION_EVENTS, IDENTITY_ACCOUNT_EVENTS)
FOREIGN_VIEW: Final = ForeignView(
    FOREIGN, ("apps", "subscriptions", "erased_accounts"), Foreign([Apps(), Subscriptions(), ErasedAccounts()]), LISTENS_TO
)
_MEASURE_SECONDS: Final = 5.0
_AGAIN_SECONDS: Final = 0.5
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True)
class Core:
    """What both processes have."""

    pool: asyncpg.Pool
    keyrings: Aggregates[Keyring, KeyringEvent]
    queries: PairQueries
    whereabouts: Whereabouts
    clock: DatabaseClock
    wake: RedisWake


@asynccontextmanager
async def build_core(settings: Settings) -> AsyncIterator[Core]:
    """The store and what stands on it; closed in the reverse order."""
    async with AsyncExitStack() as opened:
        wake = await opened.enter_async_context(RedisWake(settings.redis_url, SERVICE))
        # A verifier stands at the fence as long as an append may last: half the bound leaves it the other half.
        store_settings = StoreSettings(settings.database_url, settings.master_key, transaction_seconds=min(1.0, settings.bound_seconds / 2))
        store, pool = await opened.enter_async_context(open_store(store_settings, VIEWS, {}, wake))
        clock, whereabouts = DatabaseClock(pool), Whereabouts(pool)
        await clock.measure()
        await opened.enter_async_context(_beside(lambda: _measuring(clock)))
        yield Core(pool, Aggregates(KEYRING, store), PairQueries(pool), whereabouts, clock, wake)


@asynccontextmanager
async def build_main(settings: Settings) -> AsyncIterator[ServiceApp]:
    """The HTTP process."""
    async with AsyncExitStack() as opened:
        core = await opened.enter_async_context(build_core(settings))
        jwks = await opened.enter_async_context(JwksKeys(f"{settings.identity_url}/.well-known/jwks.json"))
        revocations = await opened.enter_async_context(KafkaRevocations(settings.kafka))
        tokens = TokenChecker(jwks, revocations)
        table = VerifierTable(lambda: _connection(settings), core.wake, bound_seconds=settings.bound_seconds)
        commands = KeyCommands(core.keyrings, core.whereabouts, core.clock.now, lambda ring, version: table.put(ring_record(ring, version)))
        usage = UsageCounter(core.pool, core.clock.seconds)
        opened.push_async_callback(usage.flush)
        await opened.enter_async_context(_beside(usage.run))
        await opened.enter_async_context(_beside(table.run))
        registry = telemetry.registry()
        Gauge("verifier_age_seconds", "How old the verifier's table can be", registry=registry).set_function(lambda: table.age_seconds)
        verifying = Verifying(table, tokens, usage, core.clock.now)
        verifications = Gauge("verifications", "Answers about keys since the start, by code", ["code"], registry=registry)
        verifications.labels(Code.VALID).set_function(lambda: verifying.accepted)
        for code in verifying.refused:
            verifications.labels(code).set_function(partial(verifying.refused.__getitem__, code))
        yield create_app(
            SERVICE, routers=[router, verify_docs.router], tokens=tokens, settings=settings,
            provides=[commands, core.queries, HistoryQueries(core.pool), core.whereabouts, verifying, PublicLog(core.pool)],
            ready=[Check("database", lambda: unwritable(core.pool, VIEWS)), Check("verifier", lambda: _is_fresh(table))],
            hot={PATH: VerifyRoute(verifying)}, registry=registry, pools={"log": core.pool},
        )  # fmt: skip


@asynccontextmanager
async def build_worker(settings: Settings) -> AsyncIterator[worker.Worker]:
    """The process that publishes, listens to registry and identity, and keeps deadlines."""
    async with AsyncExitStack() as opened:
        core = await opened.enter_async_context(build_core(settings))
        commands = KeyCommands(core.keyrings, core.whereabouts, core.clock.now)
        feeds = await opened.enter_async_context(opened_feeds(settings, LISTENS_TO))
        registry, heartbeat = telemetry.registry(), Heartbeat(KEYS_VERIFIER_STATE, settings.bound_seconds)
        relay_settings = RelaySettings(settings.database_url, settings.kafka, topics_of(SERVICE), heartbeat=heartbeat)
        parts = [
            *worker.relay(relay_settings, core.wake, core.pool, registry),
            *listeners(core, commands, settings.kafka, LISTENS_TO, feeds),
            worker.forgetting(settings.database_url, core.pool),
            worker.timer("old usage", settings.database_url, FOLD_SECONDS, lambda: fold(core.pool, core.clock.now())),
            worker.timer("deadlines", settings.database_url, 0.0, Deadlines(commands, core.queries, core.clock.now).settle),
        ]
        yield worker.Worker(parts, registry, host=settings.host, port=settings.port + WORKER_INTERNAL)


def listeners(
    core: Core, commands: KeyCommands, kafka: str | KafkaAccess, topics: Sequence[str], feeds: Sources | None = None
) -> list[worker.Part]:
    """What consumes registry's and identity's events: the views first, then the reactions that look into them."""
    reactor = worker.reactor(Reactions(commands, core.whereabouts).by_event())
    return [
        worker.consumer(
            "foreign views", Consumer(kafka, core.pool, traced(FOREIGN_VIEW.handler), topics, "keys-foreign", name=FOREIGN, source=feeds)
        ),
        worker.consumer("reactions", Consumer(kafka, core.pool, reactor, topics, "keys-reactions", name=REACTIONS, source=feeds)),
    ]


@asynccontextmanager
async def _beside(run: Callable[[], Awaitable[None]]) -> AsyncIterator[None]:
    """Something that runs for as long as the block; when it fails it is started again, and readiness shows what that costs."""
    task = asyncio.create_task(_kept(run))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _kept(run: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await run()
        except Exception:  # noqa: BLE001  # whatever it was, what runs beside must not stay dead
            _log.exception("something beside the requests failed and is started again")
        await asyncio.sleep(_AGAIN_SECONDS)


async def _connection(settings: Settings) -> asyncpg.Connection:
    named = {"application_name": "verifier table", "timezone": "UTC"}
    return await asyncpg.connect(settings.database_url, timeout=5, command_timeout=5, server_settings=named)


async def _measuring(clock: DatabaseClock) -> None:
    while True:
        await asyncio.sleep(_MEASURE_SECONDS)
        await clock.measure()


async def _is_fresh(table: VerifierTable) -> str | None:
    return None if table.fresh else f"the verifier's table is {table.age_seconds:.1f} s old"


def build_toolbox(settings: Settings) -> Toolbox:
    """What the operators' commands work with."""
    return Toolbox(
        SERVICE, settings.database_url, settings.owner_database_url, settings.master_key, MIGRATIONS, VIEWS, EVENTS,
        foreign=[FOREIGN_VIEW], kafka=settings.kafka, feeds=partial(opened_feeds, settings),
    )  # fmt: skip
