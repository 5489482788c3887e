"""The one place where identity's objects are built."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg

from services.identity.api.routes import router
from services.identity.commands.accounts import AccountCommands
from services.identity.commands.clients import ClientCommands
from services.identity.commands.hashing import Passwords
from services.identity.commands.limits import Limit, Limits
from services.identity.commands.passwords import PasswordCommands
from services.identity.commands.ports import AccessLimits
from services.identity.commands.secrets import Digests, RefreshTokens
from services.identity.commands.sessions import SessionCommands
from services.identity.commands.tokens import Signer
from services.identity.domain import account, service_client, session
from services.identity.domain.account import Account
from services.identity.domain.errors import EmailTaken
from services.identity.domain.events import STORED, AccountEvent, IdentityEvent, ServiceClientEvent, SessionEvent
from services.identity.domain.service_client import ServiceClient
from services.identity.domain.session import Session
from services.identity.mail import Postman, SmtpServer, Texts
from services.identity.projections import Accounts, Sessions
from services.identity.publications import publish, states
from services.identity.queries import IdentityQueries
from services.identity.settings import Settings
from shared import telemetry, worker
from shared.events import EventRegistry
from shared.http.app import ServiceApp, create_app
from shared.http.health import Check
from shared.http.tokens import TokenChecker
from shared.relay.relay import RelaySettings, topics_of
from shared.store.aggregates import Aggregates
from shared.store.contract import View
from shared.store.freeze import AggregateType
from shared.store.mailbox import Mailbox
from shared.store.postgres import PostgresStore, StoreSettings, mail_cipher, open_store
from shared.wake import RedisWake

SERVICE: Final = "identity"
SOURCE: Final = "/identity"
MIGRATIONS: Final = Path(__file__).parent / "migrations"
VIEWS: Final[tuple[View, ...]] = (Accounts(), Sessions())
REFUSALS: Final = {"accounts_email": EmailTaken}
EVENTS: Final[EventRegistry[IdentityEvent]] = EventRegistry(STORED)
ACCOUNT: Final[AggregateType[Account, AccountEvent]] = AggregateType(
    "account", SOURCE, EVENTS, Account, account.evolve, publish=publish, states=states, unique=account.unique
)
SESSION: Final[AggregateType[Session, SessionEvent]] = AggregateType(
    "session", SOURCE, EVENTS, Session, session.evolve, subject=session.subject
)
CLIENT: Final[AggregateType[ServiceClient, ServiceClientEvent]] = AggregateType(
    "service_client", SOURCE, EVENTS, ServiceClient, service_client.evolve
)
WINDOW_SECONDS: Final = 300


@asynccontextmanager
async def build_main(settings: Settings) -> AsyncIterator[ServiceApp]:
    """The HTTP app and everything behind it; closed in the reverse order."""
    async with AsyncExitStack() as opened:
        wake = await opened.enter_async_context(RedisWake(settings.redis_url, SERVICE, listen=False))
        store, pool = await opened.enter_async_context(_store(settings, wake))
        signer, digests = Signer(settings.master_key, settings.signing_key), Digests(settings.master_key)
        passwords = Passwords(threads=settings.hash_threads, waiting=settings.hash_waiting)
        opened.callback(passwords.close)
        limits = Limits(settings.redis_url, digests)
        opened.push_async_callback(limits.close)
        rates = AccessLimits(
            per_ip=Limit("ip", settings.attempts_per_ip, WINDOW_SECONDS),
            per_account=Limit("account", settings.attempts_per_account, WINDOW_SECONDS),
            notices=Limit("notice", account.CODES_A_DAY, 86_400),
        )
        accounts, sessions, queries, texts = Aggregates(ACCOUNT, store), Aggregates(SESSION, store), IdentityQueries(pool), Texts()
        yield create_app(
            SERVICE,
            routers=[router],
            provides=[
                AccountCommands(accounts, queries, passwords, digests, texts, limits, rates),
                PasswordCommands(accounts, queries, passwords, digests, texts, limits, rates),
                SessionCommands(accounts, sessions, queries, passwords, digests, RefreshTokens(settings.master_key), signer, limits, rates),
                ClientCommands(Aggregates(CLIENT, store), signer),
                queries,
                signer,
            ],
            tokens=TokenChecker(signer, queries),
            settings=settings,
            ready=[Check("database", lambda: _answers(pool))],
        )


@asynccontextmanager
async def build_worker(settings: Settings) -> AsyncIterator[worker.Worker]:
    """The relay and the postman."""
    async with AsyncExitStack() as opened:
        wake = await opened.enter_async_context(RedisWake(settings.redis_url, SERVICE))
        pool = await asyncpg.create_pool(settings.database_url, min_size=1, max_size=4, command_timeout=30, timeout=5)
        opened.push_async_callback(pool.close)
        mails = await opened.enter_async_context(RedisWake(settings.redis_url, SERVICE))
        server = SmtpServer(settings.smtp_host, settings.smtp_port, settings.mail_from)
        postman = Postman(Mailbox(pool, mail_cipher(settings.master_key)), server, mails)
        registry = telemetry.registry()
        relay = worker.relay(RelaySettings(settings.database_url, settings.kafka_bootstrap, topics_of(SERVICE)), wake, pool, registry)
        yield worker.Worker(
            [*relay, worker.Part("postman", postman.run, figures=postman.figures)],
            registry,
            host=settings.host,
            port=settings.port + 2_000,
        )


@dataclass(frozen=True)
class Operators:
    """What the operator's commands need."""

    clients: ClientCommands


@asynccontextmanager
async def build_operators(settings: Settings) -> AsyncIterator[Operators]:
    """The store without a server around it."""
    async with AsyncExitStack() as opened:
        wake = await opened.enter_async_context(RedisWake(settings.redis_url, SERVICE, listen=False))
        store, _ = await opened.enter_async_context(_store(settings, wake))
        yield Operators(ClientCommands(Aggregates(CLIENT, store), Signer(settings.master_key, settings.signing_key)))


@asynccontextmanager
async def _store(settings: Settings, wake: RedisWake) -> AsyncIterator[tuple[PostgresStore, asyncpg.Pool]]:
    async with open_store(StoreSettings(settings.database_url, settings.master_key), VIEWS, REFUSALS, wake) as opened:
        yield opened


async def _answers(pool: asyncpg.Pool) -> str | None:
    await pool.fetchval("SELECT 1")
    return None
