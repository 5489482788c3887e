"""HTTP ⇄ commands and queries."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Response

from services.identity.api import schemas
from services.identity.api.access import ClientAccess
from services.identity.api.pace import paced
from services.identity.commands.accounts import AccountCommands
from services.identity.commands.clients import ClientCommands
from services.identity.commands.passwords import PasswordCommands
from services.identity.commands.sessions import Device, SessionCommands
from services.identity.commands.tokens import Signer
from services.identity.queries import IdentityQueries
from shared.http.caller import Anyone, Caller, IfMatch, MaybeIfMatch, Person
from shared.http.headers import no_store, tagged, versioned
from shared.http.paging import Cursors, CursorText, Limit
from shared.http.problems import MEDIA_TYPE
from shared.http.routing import UNKEYED, Router, provided
from shared.http.schemas import Page

router = Router()
Accounts = Annotated[AccountCommands, provided(AccountCommands)]
Passwords = Annotated[PasswordCommands, provided(PasswordCommands)]
Sessions = Annotated[SessionCommands, provided(SessionCommands)]
Clients = Annotated[ClientCommands, provided(ClientCommands)]
Queries = Annotated[IdentityQueries, provided(IdentityQueries)]
Keys = Annotated[Signer, provided(Signer)]
Paging = Annotated[Cursors, provided(Cursors)]
ServiceClient = Annotated[Caller, ClientAccess()]
REFUSED = {"description": "Refused", "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
SERVICE = "identity"
NOBODY = "anonymous"  # the tenant of a request until its account is known


@router.post("/v1/accounts", status_code=202)
async def register(body: schemas.Register, caller: Anyone, accounts: Accounts) -> schemas.Accepted:
    """Register an address. The answer is the same for one that is taken; its owner gets a mail."""
    async with paced():
        context = caller.context(tenant=NOBODY, email=body.email)
        await accounts.register(body.email, body.password, body.name, ip=caller.ip, context=context)
    return schemas.Accepted()


@router.post("/v1/accounts/resend", status_code=202)
async def resend(body: schemas.Address, caller: Anyone, accounts: Accounts) -> schemas.Accepted:
    """Mail another code to an address that waits for one."""
    async with paced():
        await accounts.resend(body.email, ip=caller.ip, context=caller.context(tenant=NOBODY, email=body.email))
    return schemas.Accepted()


@router.post("/v1/accounts/verify")
async def verify(body: schemas.Verify, caller: Anyone, accounts: Accounts, queries: Queries, response: Response) -> schemas.Verified:
    """Show with the mailed code that the address is yours."""
    async with paced(refusals_only=True):
        decided = await accounts.verify(body.email, body.code, ip=caller.ip, context=caller.context(tenant=NOBODY))
    versioned(response, SERVICE, decided)
    return schemas.Verified(**asdict(await queries.get_profile(decided.stream_id)), password_withdrawn=decided.state.password_hash is None)


@router.get("/v1/account")
async def get_account(caller: Person, queries: Queries, response: Response) -> schemas.Account:
    """Who I am."""
    profile = await queries.get_profile(caller.account_id)
    tagged(response, profile.version)
    return schemas.Account.of(profile)


@router.patch("/v1/account")
async def change_profile(
    body: schemas.ChangeProfile, caller: Person, version: IfMatch, accounts: Accounts, queries: Queries, response: Response
) -> schemas.Account:
    """Change the name that is shown."""
    versioned(response, SERVICE, await accounts.rename(caller.account_id, name=body.name, context=caller.context(version)))
    return schemas.Account.of(await queries.get_profile(caller.account_id))


@router.delete("/v1/account", status_code=204)
async def erase_account(caller: Person, version: MaybeIfMatch, accounts: Accounts, response: Response) -> None:
    """Erase the account and everything personal about it, for ever."""
    versioned(response, SERVICE, await accounts.erase(caller.account_id, context=caller.context(version)))


@router.post("/v1/sessions", status_code=201, openapi_extra=UNKEYED, responses={401: REFUSED, 403: REFUSED})
async def sign_in(body: schemas.SignIn, caller: Anyone, sessions: Sessions, response: Response) -> schemas.Tokens:
    """Sign in. Unknown, wrong and locked look the same."""
    no_store(response)
    async with paced(refusals_only=True):
        signed_in = await sessions.sign_in(body.email, body.password, Device(caller.ip, caller.user_agent), caller.context(tenant=NOBODY))
    return schemas.Tokens.of(signed_in)


@router.post("/v1/sessions/refresh", responses={401: REFUSED})
async def refresh(body: schemas.Refresh, caller: Anyone, sessions: Sessions, response: Response) -> schemas.Tokens:
    """Trade a refresh token for new tokens. Each is good once; one that comes back later ends its session."""
    no_store(response)
    device = Device(caller.ip, caller.user_agent)
    return schemas.Tokens.of(await sessions.refresh(body.refresh_token, device, caller.context(tenant=NOBODY)))


@router.get("/v1/sessions")
async def list_sessions(
    caller: Person, queries: Queries, paging: Paging, limit: Limit = 20, cursor: CursorText = None
) -> Page[schemas.Session]:
    """Where I am signed in, newest first."""
    bound = ("sessions", caller.account_id)
    after = paging.read(cursor, *bound) or {"before": None}
    rows = await queries.list_sessions(caller.account_id, datetime.now(UTC), before=after["before"], limit=limit + 1)
    return Page[schemas.Session].of(
        rows, limit, lambda last: paging.make({"before": last.session_id}, *bound), lambda view: schemas.Session.of(view, caller.session_id)
    )


@router.delete("/v1/sessions/{session_id}", status_code=204)
async def end_session(session_id: str, caller: Person, sessions: Sessions) -> None:
    """Sign out one session."""
    await sessions.end(caller.account_id, session_id, context=caller.context())


@router.delete("/v1/sessions", status_code=204)
async def end_all_sessions(caller: Person, sessions: Sessions, response: Response) -> None:
    """Sign out everywhere, here too."""
    versioned(response, SERVICE, await sessions.end_all(caller.account_id, context=caller.context()))


@router.post("/v1/password/forgot", status_code=202)
async def forgot_password(body: schemas.Address, caller: Anyone, passwords: Passwords) -> schemas.Accepted:
    """Mail a code that lets the owner of the address choose a new password."""
    async with paced():
        await passwords.forgot(body.email, ip=caller.ip, context=caller.context(tenant=NOBODY, email=body.email))
    return schemas.Accepted()


@router.post("/v1/password/reset", status_code=204)
async def reset_password(body: schemas.Reset, caller: Anyone, passwords: Passwords) -> None:
    """Choose a new password with the mailed code. Signs out everywhere."""
    async with paced(refusals_only=True):
        await passwords.reset(body.email, body.code, body.password, ip=caller.ip, context=caller.context(tenant=NOBODY))


@router.post("/v1/password/change", status_code=204)
async def change_password(body: schemas.ChangePassword, caller: Person, passwords: Passwords, response: Response) -> None:
    """Choose a new password, knowing the present one. Signs out everywhere, here too."""
    decided = await passwords.change(caller.account_id, current=body.current_password, new=body.new_password, context=caller.context())
    versioned(response, SERVICE, decided)


@router.post("/v1/service-tokens")
async def service_token(caller: ServiceClient, clients: Clients, response: Response) -> schemas.ServiceTokenAnswer:
    """A token for a machine of the platform, with all scopes of its client."""
    no_store(response)
    client_id, secret = caller.details
    token = await clients.token(client_id, secret, datetime.now(UTC))
    return schemas.ServiceTokenAnswer(access_token=token.access_token, scope=" ".join(token.scopes))


@router.get("/.well-known/jwks.json")
async def jwks(_caller: Anyone, keys: Keys, response: Response) -> schemas.KeySet:
    """The keys that our tokens are checked with."""
    response.headers["cache-control"] = "public, max-age=60"
    return schemas.KeySet.model_validate(keys.jwks())
