"""HTTP ⇄ commands and queries."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Query, Response
from latchkey.keyformat import Environment

from services.keys.api.schemas import AppId, Generate, HistoryItem, IssuedPair, Pair, PairId, Regenerate, Revoke, Usage
from services.keys.commands import KeyCommands
from services.keys.domain.errors import SecretAlreadyRevealed
from services.keys.queries.history import HistoryQueries
from services.keys.queries.pairs import PairQueries
from services.keys.queries.whereabouts import Whereabouts
from shared.http.caller import IfMatch, MaybeIfMatch, Person
from shared.http.headers import EventPosition, no_store, tagged, versioned, wait_for
from shared.http.paging import Cursors, CursorText, Limit
from shared.http.routing import Router, provided
from shared.http.schemas import Page

SERVICE = "keys"
router = Router(prefix="/v1/apps/{app_id}/keys", tags=["keys"])
Commands = Annotated[KeyCommands, provided(KeyCommands)]
Queries = Annotated[PairQueries, provided(PairQueries)]
History = Annotated[HistoryQueries, provided(HistoryQueries)]
Foreign = Annotated[Whereabouts, provided(Whereabouts)]
Paging = Annotated[Cursors, provided(Cursors)]


@router.post("", status_code=201)
async def generate(
    app_id: AppId, body: Generate, caller: Person, commands: Commands, queries: Queries, foreign: Foreign, response: Response,
    position: EventPosition = None,
) -> IssuedPair:  # fmt: skip
    """Generate a public and a secret key. This answer is the only one that ever carries the secret."""
    await wait_for(position, "registry", foreign)
    issued = await commands.generate(app_id, body.environment, body.rules(), caller.context())
    no_store(response)
    versioned(response, SERVICE, issued.decided)
    return IssuedPair.issued(issued, await queries.get_pair(app_id, issued.pair.pair_id, tenant=caller.account_id))


@router.get("")
async def list_pairs(
    app_id: AppId, caller: Person, queries: Queries, foreign: Foreign, cursors: Paging,
    environment: Environment | None = None, limit: Limit = 50, cursor: CursorText = None, position: EventPosition = None,
) -> Page[Pair]:  # fmt: skip
    """The app's pairs, newest first, ended ones too."""
    bound = ("pairs", caller.account_id, app_id, environment)
    after = cursors.read(cursor, *bound)
    await wait_for(position, "registry", foreign)
    await foreign.get_app(app_id, caller.account_id)
    rows = await queries.list_pairs(
        app_id, tenant=caller.account_id, environment=environment, after=after["pair_id"] if after else None, limit=limit + 1
    )
    return Page[Pair].of(rows, limit, lambda last: cursors.make({"pair_id": last.pair_id}, *bound), Pair.of)


@router.get("/history")
async def history(
    app_id: AppId, caller: Person, queries: History, foreign: Foreign, cursors: Paging, limit: Limit = 25, cursor: CursorText = None,
) -> Page[HistoryItem]:  # fmt: skip
    """Who did what to the app's keys when, latest first."""
    bound = ("history", caller.account_id, app_id)
    after = cursors.read(cursor, *bound)
    await foreign.get_app(app_id, caller.account_id)
    before = after["before"] if after else None
    rows = await queries.list_history(app_id, tenant=caller.account_id, before=before, limit=limit + 1)
    return Page[HistoryItem].of(rows, limit, lambda last: cursors.make({"before": last.position}, *bound), HistoryItem.of)


@router.get("/{pair_id}")
async def get_pair(
    app_id: AppId, pair_id: PairId, caller: Person, queries: Queries, foreign: Foreign, response: Response, position: EventPosition = None
) -> Pair:
    """One pair, without its secret."""
    await wait_for(position, "registry", foreign)
    pair = await queries.get_pair(app_id, pair_id, tenant=caller.account_id)
    tagged(response, pair.version)
    return Pair.of(pair)


@router.get("/{pair_id}/secret", status_code=410, response_model=None)
async def get_secret(app_id: AppId, pair_id: PairId, caller: Person, queries: Queries) -> None:
    """Refused: a secret is shown once, by the answer that made it. Regenerate the pair when it is lost."""
    await queries.get_pair(app_id, pair_id, tenant=caller.account_id)
    raise SecretAlreadyRevealed


@router.post("/{pair_id}/regenerate", status_code=201)
async def regenerate(
    app_id: AppId, pair_id: PairId, caller: Person, version: IfMatch, commands: Commands, queries: Queries, response: Response,
    body: Regenerate | None = None,
) -> IssuedPair:  # fmt: skip
    """Make new keys. The old ones are refused at once, or when the overlap is over."""
    overlap_seconds = (body or Regenerate()).overlap_seconds
    issued = await commands.regenerate(app_id, pair_id, overlap_seconds=overlap_seconds, context=caller.context(version))
    no_store(response)
    versioned(response, SERVICE, issued.decided)
    return IssuedPair.issued(issued, await queries.get_pair(app_id, issued.pair.pair_id, tenant=caller.account_id))


@router.post("/{pair_id}/disable")
async def disable(
    app_id: AppId, pair_id: PairId, caller: Person, version: MaybeIfMatch, commands: Commands, queries: Queries, response: Response
) -> Pair:
    """Refuse both keys until the pair is enabled."""
    versioned(response, SERVICE, await commands.disable(app_id, pair_id, caller.context(version)))
    return Pair.of(await queries.get_pair(app_id, pair_id, tenant=caller.account_id))


@router.post("/{pair_id}/enable")
async def enable(
    app_id: AppId, pair_id: PairId, caller: Person, version: MaybeIfMatch, commands: Commands, queries: Queries, response: Response
) -> Pair:
    """Let the keys of a disabled pair work again."""
    versioned(response, SERVICE, await commands.enable(app_id, pair_id, caller.context(version)))
    return Pair.of(await queries.get_pair(app_id, pair_id, tenant=caller.account_id))


@router.post("/{pair_id}/revoke")
async def revoke(
    app_id: AppId, pair_id: PairId, caller: Person, version: MaybeIfMatch, commands: Commands, queries: Queries, response: Response,
    body: Revoke | None = None,
) -> Pair:  # fmt: skip
    """Refuse both keys for ever."""
    reason = (body or Revoke()).reason
    versioned(response, SERVICE, await commands.revoke(app_id, pair_id, reason=reason, context=caller.context(version)))
    return Pair.of(await queries.get_pair(app_id, pair_id, tenant=caller.account_id))


@router.post("/{pair_id}/rotation/finish")
async def finish_rotation(
    app_id: AppId, pair_id: PairId, caller: Person, version: MaybeIfMatch, commands: Commands, queries: Queries, response: Response
) -> Pair:
    """End the overlap of a pair that was regenerated: both its keys are refused from now on."""
    versioned(response, SERVICE, await commands.finish_rotation(app_id, pair_id, caller.context(version)))
    return Pair.of(await queries.get_pair(app_id, pair_id, tenant=caller.account_id))


@router.post("/{pair_id}/rotation/rollback")
async def roll_back(
    app_id: AppId, pair_id: PairId, caller: Person, version: MaybeIfMatch, commands: Commands, queries: Queries, response: Response
) -> Pair:
    """Within the overlap: the pair that was regenerated stays, and the new one is refused for ever."""
    versioned(response, SERVICE, await commands.roll_back(app_id, pair_id, caller.context(version)))
    return Pair.of(await queries.get_pair(app_id, pair_id, tenant=caller.account_id))


@router.get("/{pair_id}/usage")
async def get_usage(
    app_id: AppId, pair_id: PairId, caller: Person, queries: Queries,
    hours: Annotated[int, Query(ge=1, le=24 * 90, description="How far back")] = 24 * 7,
) -> Usage:  # fmt: skip
    """Last use and calls per hour."""
    since = datetime.now(UTC) - timedelta(hours=hours)
    return Usage.of(await queries.get_usage(app_id, pair_id, tenant=caller.account_id, since=since))
