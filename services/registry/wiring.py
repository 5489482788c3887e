"""The one place where registry's objects are built."""

import warnings
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import asyncpg
from latchkey.consumer import Consumer
from latchkey.events.identity import AccountErased
from latchkey.topics import IDENTITY_ACCOUNT_EVENTS
from PIL.Image import DecompressionBombWarning

from services.registry.api import ROUTERS
from services.registry.commands.apps import AppCommands
from services.registry.commands.dns import DnsRecords
from services.registry.commands.domains import DomainCommands
from services.registry.commands.subscriptions import SubscriptionCommands
from services.registry.domain import app, places, subscription
from services.registry.domain.app import App
from services.registry.domain.errors import NameTaken
from services.registry.domain.events import STORED, AppEvent, SubscriptionEvent
from services.registry.domain.subscription import Subscription
from services.registry.projections.apps import Apps
from services.registry.projections.domains import Domains
from services.registry.projections.logos import LogoTable
from services.registry.projections.subscriptions import Subscriptions
from services.registry.publications import app_states, publish_app, publish_subscription
from services.registry.queries import RegistryQueries
from services.registry.reactions import Reactions
from services.registry.settings import Settings
from shared import telemetry, worker
from shared.events import EventRegistry
from shared.feeds import opened_feeds
from shared.http.app import ServiceApp, create_app
from shared.http.feed import PublicLog
from shared.http.health import Check
from shared.http.jwks import JwksKeys
from shared.http.revocations import KafkaRevocations
from shared.http.tokens import TokenChecker
from shared.ops.kit import Toolbox
from shared.relay.relay import RelaySettings, topics_of
from shared.store.aggregates import Aggregates
from shared.store.contract import View
from shared.store.freeze import AggregateType
from shared.store.postgres import StoreSettings, create_pool, open_store, unwritable
from shared.wake import RedisWake

SERVICE: Final = "registry"
SOURCE: Final = "/registry"
MIGRATIONS: Final = Path(__file__).parent / "migrations"
VIEWS: Final[tuple[View, ...]] = (Apps(), Subscriptions(), Domains())
REFUSALS: Final = {"apps_owner_name": NameTaken}
EVENTS: Final[EventRegistry[AppEvent | SubscriptionEvent]] = EventRegistry(STORED)
APP: Final[AggregateType[App, AppEvent]] = AggregateType(
    "app", SOURCE, EVENTS, App, app.evolve, publish=publish_app, states=app_states, unique=app.names_touched, relies=app.names_relied_on
)
SUBSCRIPTION: Final[AggregateType[Subscription, SubscriptionEvent]] = AggregateType(
    "subscription", SOURCE, EVENTS, Subscription, subscription.evolve, publish=publish_subscription, unique=subscription.subscribers_touched
)
SWEEP_SECONDS: Final = 600.0


@dataclass(frozen=True)
class Core:
    """What both processes have."""

    pool: asyncpg.Pool
    apps: AppCommands
    subscriptions: SubscriptionCommands
    domains: DomainCommands
    logos: LogoTable
    wake: RedisWake


@asynccontextmanager
async def build_core(settings: Settings, *, listen: bool) -> AsyncIterator[Core]:
    """The store and what stands on it; closed in the reverse order."""
    # Pillow warns of a picture that could fill the memory, and goes on: here that is the end of it, in every thread.
    warnings.simplefilter("error", DecompressionBombWarning)
    async with AsyncExitStack() as opened:
        wake = await opened.enter_async_context(RedisWake(settings.redis_url, SERVICE, listen=listen))
        store_settings = StoreSettings(settings.database_url, settings.master_key)
        store, pool = await opened.enter_async_context(open_store(store_settings, VIEWS, REFUSALS, wake))
        apps, subscriptions, logos = Aggregates(APP, store), Aggregates(SUBSCRIPTION, store), LogoTable(pool)
        domains = DomainCommands(apps, DnsRecords(settings.name_servers))
        yield Core(pool, AppCommands(apps, subscriptions, logos), SubscriptionCommands(subscriptions), domains, logos, wake)


@asynccontextmanager
async def build_main(settings: Settings) -> AsyncIterator[ServiceApp]:
    """The HTTP process."""
    places.countries()  # Gathering them takes a second, which no request shall wait for; they are remembered.
    async with AsyncExitStack() as opened:
        keys = await opened.enter_async_context(JwksKeys(f"{settings.identity_url}/.well-known/jwks.json"))
        revocations = await opened.enter_async_context(KafkaRevocations(settings.kafka))
        yield await opened.enter_async_context(build_app(settings, TokenChecker(keys, revocations)))


@asynccontextmanager
async def build_app(settings: Settings, tokens: TokenChecker) -> AsyncIterator[ServiceApp]:
    """The HTTP app on its database, whoever says what a token is worth. Reads sign in as a role that cannot write."""
    async with AsyncExitStack() as opened:
        core = await opened.enter_async_context(build_core(settings, listen=False))
        reading = await create_pool(settings.read_database_url)
        opened.push_async_callback(reading.close)
        yield create_app(
            SERVICE, routers=ROUTERS, tokens=tokens, settings=settings,
            provides=[core.apps, core.subscriptions, core.domains, RegistryQueries(reading), PublicLog(core.pool)],
            ready=[Check("database", lambda: unwritable(core.pool, VIEWS)), Check("reads", lambda: _answers(reading))],
            pools={"log": core.pool, "reading": reading},
        )  # fmt: skip


@asynccontextmanager
async def build_worker(settings: Settings) -> AsyncIterator[worker.Worker]:
    """The process that publishes, reacts to identity, and sweeps."""
    async with AsyncExitStack() as opened:
        core = await opened.enter_async_context(build_core(settings, listen=True))
        reactions = Reactions(core.apps, RegistryQueries(core.pool), lambda: datetime.now(UTC))
        reactor = worker.reactor({AccountErased: reactions.on_account_erased})
        topics = [IDENTITY_ACCOUNT_EVENTS]
        feeds = await opened.enter_async_context(opened_feeds(settings, topics))
        listens = Consumer(settings.kafka, core.pool, reactor, topics, "registry-reactions", name="reactions", source=feeds)
        registry = telemetry.registry()
        relay_settings = RelaySettings(settings.database_url, settings.kafka, topics_of(SERVICE))
        parts = [
            *worker.relay(relay_settings, core.wake, core.pool, registry),
            worker.consumer("reactions", listens),
            worker.forgetting(settings.database_url, core.pool),
            worker.timer("logo sweep", settings.database_url, SWEEP_SECONDS, core.logos.sweep),
        ]
        yield worker.Worker(parts, registry, host=settings.host, port=worker.internal_port(settings))


def build_toolbox(settings: Settings) -> Toolbox:
    """What the operators' commands work with."""
    return Toolbox(
        SERVICE, settings.database_url, settings.owner_database_url, settings.master_key, MIGRATIONS, VIEWS, EVENTS, kafka=settings.kafka
    )


async def _answers(pool: asyncpg.Pool) -> str | None:
    await pool.fetchval("SELECT 1")
    return None
