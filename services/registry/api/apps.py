"""Apps over HTTP."""

from typing import Annotated, Any, Final

from fastapi import Query, Response

from services.registry.api.schemas import AppAnswer, AppChanges, HistoryItem, NewApp, app_decided, app_read, history_read
from services.registry.commands.apps import AppCommands
from services.registry.domain.events import AppStatus
from services.registry.queries import SORTS, HistoryEntry, Order, RegistryQueries
from shared.http.caller import IfMatch, MaybeIfMatch, Person
from shared.http.headers import tagged
from shared.http.paging import Cursors, CursorText, Limit, Page
from shared.http.routing import Router, provided

router = Router(prefix="/v1/apps", tags=["apps"])
Commands = Annotated[AppCommands, provided(AppCommands)]
Queries = Annotated[RegistryQueries, provided(RegistryQueries)]
Cursor = Annotated[Cursors, provided(Cursors)]
Search = Annotated[str | None, Query(max_length=256, description="Part of a name, or a whole app id")]
_SORTS: Final = "|".join(SORTS)
Sort = Annotated[str, Query(pattern=f"^-?({_SORTS})$", description=f"By what: {_SORTS}; descending with - before it")]
Status = Annotated[AppStatus | None, Query(description="Without it all but the archived ones are listed")]


@router.post("", status_code=201)
async def register(body: NewApp, caller: Person, response: Response, commands: Commands) -> AppAnswer:
    """Register an app. Every wrong field is named at once; nothing is stored then."""
    return app_decided(response, await commands.register(body.given(), body.image(), caller.context()))


@router.get("")
async def list_apps(
    caller: Person, queries: Queries, cursors: Cursor, q: Search = None, status: Status = None, sort: Sort = "-registered_at",
    cursor: CursorText = None, limit: Limit = 25,
) -> Page[AppAnswer]:  # fmt: skip
    """Your apps, newest first where nothing else is asked for."""
    bound = ("apps", caller.account_id, q, status, sort)
    place = cursors.read(cursor, *bound)
    order = Order(sort.removeprefix("-"), sort.startswith("-"), (place["value"], place["app_id"]) if place else None)
    rows = await queries.list_apps(tenant=caller.account_id, q=q, status=status, order=order, limit=limit + 1)
    return Page[AppAnswer].of(
        rows, limit, lambda last: cursors.make(dict(zip(("value", "app_id"), last[1], strict=True)), *bound), lambda row: app_read(row[0])
    )


@router.get("/{app_id}")
async def get_app(app_id: str, caller: Person, response: Response, queries: Queries) -> AppAnswer:
    """One app."""
    view = await queries.get_app(app_id, tenant=caller.account_id)
    tagged(response, view.version)
    return app_read(view)


@router.patch("/{app_id}")
async def change(app_id: str, body: AppChanges, caller: Person, expected: IfMatch, response: Response, commands: Commands) -> AppAnswer:
    """Change the given fields, logo included, all or none. Another country clears a state that does not belong to it."""
    return app_decided(response, await commands.change(app_id, body.given(), body.new_logo(), caller.context(expected)))


@router.post("/{app_id}/disable")
async def disable(app_id: str, caller: Person, expected: MaybeIfMatch, response: Response, commands: Commands) -> AppAnswer:
    """Switch the app off: its keys are refused until it is enabled."""
    return app_decided(response, await commands.disable(app_id, caller.context(expected)))


@router.post("/{app_id}/enable")
async def enable(app_id: str, caller: Person, expected: MaybeIfMatch, response: Response, commands: Commands) -> AppAnswer:
    """Switch the app on again."""
    return app_decided(response, await commands.enable(app_id, caller.context(expected)))


@router.post("/{app_id}/archive")
async def archive(app_id: str, caller: Person, expected: MaybeIfMatch, response: Response, commands: Commands) -> AppAnswer:
    """Put the app away: its keys are refused and its name is free."""
    return app_decided(response, await commands.archive(app_id, caller.context(expected)))


@router.post("/{app_id}/restore")
async def restore(app_id: str, caller: Person, expected: MaybeIfMatch, response: Response, commands: Commands) -> AppAnswer:
    """Take the app out of the archive, as it was."""
    return app_decided(response, await commands.restore(app_id, caller.context(expected)))


@router.get("/{app_id}/history")
async def history(
    app_id: str, caller: Person, queries: Queries, cursors: Cursor, cursor: CursorText = None, limit: Limit = 25
) -> Page[HistoryItem]:
    """Who did what to the app when, latest first."""
    bound = ("history", caller.account_id, app_id)
    place: dict[str, Any] = cursors.read(cursor, *bound) or {}
    rows = await queries.list_history(app_id, tenant=caller.account_id, before=place.get("before"), limit=limit + 1)

    def next_page(last: HistoryEntry) -> str:
        return cursors.make({"before": last.version}, *bound)

    return Page[HistoryItem].of(rows, limit, next_page, history_read)
