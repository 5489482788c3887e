"""The domains of an app over HTTP."""

from typing import Annotated

from fastapi import Response

from services.registry.api.schemas import DomainAnswer, Items, NewDomain, domain_decided, domain_read
from services.registry.commands.domains import DomainCommands
from services.registry.queries import RegistryQueries
from shared.http.caller import MaybeIfMatch, Person
from shared.http.headers import tagged, versioned
from shared.http.routing import Router, provided

router = Router(prefix="/v1/apps/{app_id}/domains", tags=["domains"])
Commands = Annotated[DomainCommands, provided(DomainCommands)]
Queries = Annotated[RegistryQueries, provided(RegistryQueries)]


@router.post("", status_code=201)
async def add(app_id: str, body: NewDomain, caller: Person, expected: MaybeIfMatch, response: Response, commands: Commands) -> DomainAnswer:
    """Say that a domain is yours. The answer has the TXT record that proves it; adding it again changes nothing."""
    return domain_decided(response, await commands.add(app_id, body.domain, caller.context(expected)), body.domain)


@router.get("")
async def list_domains(app_id: str, caller: Person, response: Response, queries: Queries) -> Items[DomainAnswer]:
    """The app's domains by name, at most 20."""
    views, version = await queries.list_domains(app_id, tenant=caller.account_id)
    tagged(response, version)
    return Items(items=[domain_read(view) for view in views])


@router.post("/{domain}/verify")
async def verify(app_id: str, domain: str, caller: Person, expected: MaybeIfMatch, response: Response, commands: Commands) -> DomainAnswer:
    """Look for the TXT record in DNS, for at most three seconds. A domain that was verified stays so."""
    return domain_decided(response, await commands.verify(app_id, domain, caller.context(expected)), domain)


@router.delete("/{domain}", status_code=204)
async def remove(app_id: str, domain: str, caller: Person, expected: MaybeIfMatch, response: Response, commands: Commands) -> None:
    """The domain is the app's no longer. Added again, it needs a proof of its own."""
    versioned(response, "registry", await commands.remove(app_id, domain, caller.context(expected)))
