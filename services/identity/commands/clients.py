"""What can be done about service clients: add one, revoke it, give it a token."""

import hmac
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from services.identity.commands.secrets import digest_of, new_secret
from services.identity.commands.tokens import Signer
from services.identity.domain import service_client
from services.identity.domain.errors import ClientNotFound, ClientRefused
from services.identity.domain.events import ServiceClientEvent
from services.identity.domain.service_client import ServiceClient
from shared.ids import new_id
from shared.store.aggregates import Aggregates
from shared.store.records import Context

CLIENT_ID: Final = re.compile(r"svc_[0-9A-Za-z]{22}")


@dataclass(frozen=True, slots=True)
class ServiceToken:
    """A signed token and what it is good for."""

    access_token: str
    scopes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Listed:
    """A client whose secret was made outside, of which only the digest comes here."""

    client_id: str
    name: str
    scopes: frozenset[str]
    secret_digest: str


class ClientCommands:
    """Service clients are made by operators; their secret is shown once and kept as a digest."""

    def __init__(self, clients: Aggregates[ServiceClient, ServiceClientEvent], signer: Signer) -> None:
        self._clients, self._signer = clients, signer

    async def add(self, name: str, scopes: Collection[str], context: Context) -> tuple[str, str]:
        """A new client: its id, and its secret, which is shown this once. Raises ScopeUnknown."""
        client_id, secret = new_id("svc"), new_secret()
        decision = partial(service_client.add, name=name, scopes=frozenset(scopes), secret_digest=digest_of(secret))
        await self._clients.decide(client_id, decision, context)
        return client_id, secret

    async def admit(self, listed: Listed, context: Context) -> None:
        """Make a client whose id and secret came from elsewhere, unless it is there. Raises ClientNotFound, ScopeUnknown, ClientRefused."""
        if not CLIENT_ID.fullmatch(listed.client_id):
            raise ClientNotFound
        decision = partial(service_client.add, name=listed.name, scopes=listed.scopes, secret_digest=listed.secret_digest)
        await self._clients.decide(listed.client_id, decision, context)
        if (await self._clients.load(listed.client_id)).state.secret_digest != listed.secret_digest:
            raise ClientRefused  # revoked, or of another secret: neither is undone from a file

    async def revoke(self, client_id: str, context: Context) -> None:
        """Give it no more tokens; those given live for 15 minutes at most. Raises ClientNotFound."""
        if not CLIENT_ID.fullmatch(client_id):
            raise ClientNotFound  # the id of a stream of another kind must not be read as a client
        await self._clients.decide(client_id, service_client.revoke, context)

    async def token(self, client_id: str, secret: str, now: datetime) -> ServiceToken:
        """A token with the client's scopes. Raises ClientRefused. Nobody guesses 256 bits, so attempts are not counted."""
        client = (await self._clients.load(client_id)).state
        if not client.secret_digest or not hmac.compare_digest(client.secret_digest, digest_of(secret)):
            raise ClientRefused
        return ServiceToken(self._signer.service_token(client_id, client.scopes, now), client.scopes)
