"""Machines get the scopes that there are, and lose them."""

import pytest

from services.identity.domain import service_client
from services.identity.domain.errors import ClientNotFound, ScopeUnknown
from services.identity.domain.events import ServiceClientAdded, ServiceClientRevoked
from services.identity.domain.service_client import ServiceClient

ADDED = ServiceClientAdded("local", ("feed:keys", "keys:verify"), "digest")
FRESH = ServiceClient("svc_1")
KNOWN = service_client.evolve(FRESH, ADDED)


def test_a_client_is_added_with_its_scopes() -> None:
    scopes = frozenset({"keys:verify", "feed:keys"})
    assert service_client.add(FRESH, name="local", scopes=scopes, secret_digest="digest") == [ADDED]
    assert service_client.add(KNOWN, name="local", scopes=scopes, secret_digest="digest") == []


@pytest.mark.parametrize("scopes", [frozenset(), frozenset({"keys:verify", "keys:write"})], ids=["none", "unknown"])
def test_a_scope_that_is_not_there_is_refused(scopes: frozenset[str]) -> None:
    with pytest.raises(ScopeUnknown):
        service_client.add(FRESH, name="local", scopes=scopes, secret_digest="digest")


def test_revoking_takes_the_secret_away_once() -> None:
    assert service_client.revoke(KNOWN) == [ServiceClientRevoked()]
    gone = service_client.evolve(KNOWN, ServiceClientRevoked())
    assert (gone.secret_digest, service_client.revoke(gone)) == ("", [])
    with pytest.raises(ClientNotFound):
        service_client.revoke(FRESH)
