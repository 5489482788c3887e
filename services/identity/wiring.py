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
from services.identity.commands.ports import Desk
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
from services.identity.projections import VIEWS
from services.identity.publications import publish, states
from services.identity.queries import IdentityQueries
from services.identity.settings import Settings
from shared import telemetry, worker
from shared.events import EventRegistry
from shared.http.app import ServiceApp, create_app
from shared.http.feed import PublicLog
from shared.http.health import Check
from shared.http.tokens import TokenChecker
from shared.relay.relay import RelaySettings, topics_of
from shared.store.aggregates import Aggregates
from shared.store.freeze import AggregateType
from shared.store.mailbox import Mailbox
from shared.store.postgres import PostgresStore, StoreSettings, mail_cipher, open_store, unwritable
from shared.wake import RedisWake

SERVICE: Final = "identity"
SOURCE: Final = "/identity"
MIGRATIONS: Final = Path(__file__).parent / "migrations"
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
DAY_SECONDS: Final = 86_400


@dataclass(frozen=True)
class Core:
    """What both processes have, and the operators."""

    store: PostgresStore
    pool: asyncpg.Pool
    clients: ClientCommands
    signer: Signer
    wake: RedisWake


@asynccontextmanager
async def build_core(settings: Settings, *, listen: bool = False) -> AsyncIterator[Core]:
    """The store and what stands on it; closed in the reverse order."""
    async with AsyncExitStack() as opened:
        wake = await opened.enter_async_context(RedisWake(settings.redis_url, SERVICE, listen=listen))
        store_settings = StoreSettings(settings.database_url, settings.master_key)
        store, pool = await opened.enter_async_context(open_store(store_settings, VIEWS, REFUSALS, wake))
        signer = Signer(settings.master_key, settings.signing_key)
        yield Core(store, pool, ClientCommands(Aggregates(CLIENT, store), signer), signer, wake)


@asynccontextmanager
async def build_main(settings: Settings) -> AsyncIterator[ServiceApp]:
    """The HTTP process."""
    async with AsyncExitStack() as opened:
        core = await opened.enter_async_context(build_core(settings))
        digests, queries = Digests(settings.master_key), IdentityQueries(core.pool)
        passwords = Passwords(threads=settings.hash_threads, waiting=settings.hash_waiting)
        opened.callback(passwords.close)
        limits = Limits(settings.redis_url, digests)
        opened.push_async_callback(limits.close)
        per_ip = Limit("ip", settings.attempts_per_ip, WINDOW_SECONDS)
        per_account = Limit("account", settings.attempts_per_account, WINDOW_SECONDS)
        notices = Limit("notice", account.CODES_A_DAY, DAY_SECONDS)
        new_passwords = Limit("new-password", settings.new_passwords_per_ip, WINDOW_SECONDS)
        desk = Desk(queries, passwords, digests, Texts(), limits, per_ip, per_account, notices, new_passwords)
        accounts, sessions, tokens = Aggregates(ACCOUNT, core.store), Aggregates(SESSION, core.store), RefreshTokens(settings.master_key)
        commands = [
            AccountCommands(accounts, desk),
            PasswordCommands(accounts, desk),
            SessionCommands(accounts, sessions, desk, tokens, core.signer),
        ]
        yield create_app(
            SERVICE, routers=[router], provides=[*commands, core.clients, core.signer, queries, PublicLog(core.pool)],
            tokens=TokenChecker(core.signer, queries), settings=settings, pools={"log": core.pool},
            ready=[Check("database", lambda: unwritable(core.pool, VIEWS))],
        )  # fmt: skip


@asynccontextmanager
async def build_worker(settings: Settings) -> AsyncIterator[worker.Worker]:
    """The process that publishes and sends mails."""
    async with AsyncExitStack() as opened:
        core = await opened.enter_async_context(build_core(settings, listen=True))
        mail_wake = await opened.enter_async_context(RedisWake(settings.redis_url, SERVICE))  # its own: a wake-up wakes one who waits
        server = smtp_server(settings)
        postman = Postman(Mailbox(core.pool, mail_cipher(settings.master_key)), server, mail_wake)
        registry = telemetry.registry()
        relay_settings = RelaySettings(settings.database_url, settings.kafka, topics_of(SERVICE))
        relay = worker.relay(relay_settings, core.wake, core.pool, registry)
        parts = [*relay, worker.Part("postman", postman.run, figures=postman.figures), worker.forgetting(settings.database_url, core.pool)]
        yield worker.Worker(parts, registry, host=settings.host, port=worker.internal_port(settings))


def smtp_server(settings: Settings) -> SmtpServer:
    """Where mails go."""
    told = settings
    return SmtpServer(told.smtp_host, told.smtp_port, told.mail_from, told.smtp_user, told.smtp_password, told.smtp_tls, told.smtp_ca_file)
