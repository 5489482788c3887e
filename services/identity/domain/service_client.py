"""A service client: a machine of the platform that may ask for service tokens with its scopes."""

from dataclasses import dataclass, replace
from typing import Final, assert_never

from services.identity.domain.errors import ClientNotFound, ScopeUnknown
from services.identity.domain.events import ServiceClientAdded, ServiceClientEvent, ServiceClientRevoked

SCOPES: Final = frozenset({"keys:verify", "feed:identity", "feed:registry", "feed:keys", "feed:metrics"})


@dataclass(frozen=True, slots=True)
class ServiceClient:
    """One client; `secret_digest` is empty before it is added and after it is revoked."""

    client_id: str
    name: str = ""
    scopes: tuple[str, ...] = ()
    secret_digest: str = ""


def evolve(client: ServiceClient, event: ServiceClientEvent) -> ServiceClient:
    match event:
        case ServiceClientAdded(name, scopes, secret_digest):
            return replace(client, name=name, scopes=scopes, secret_digest=secret_digest)
        case ServiceClientRevoked():
            return replace(client, secret_digest="")
        case _:
            assert_never(event)


def add(client: ServiceClient, *, name: str, scopes: frozenset[str], secret_digest: str) -> list[ServiceClientEvent]:
    """Make a client with at least one known scope. Raises ScopeUnknown."""
    unknown = sorted(scopes - SCOPES)
    if unknown or not scopes:
        raise ScopeUnknown(f"Unknown: {', '.join(unknown) or 'none given'}. There are: {', '.join(sorted(SCOPES))}.")
    return [] if client.name else [ServiceClientAdded(name, tuple(sorted(scopes)), secret_digest)]


def revoke(client: ServiceClient) -> list[ServiceClientEvent]:
    """Give no more tokens to a client. Raises ClientNotFound for one that never was."""
    if not client.name:
        raise ClientNotFound
    return [ServiceClientRevoked()] if client.secret_digest else []
