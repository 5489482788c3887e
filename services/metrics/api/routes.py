"""HTTP ⇄ commands and queries of metrics."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Body, Query, Response
from fastapi.responses import StreamingResponse

from services.metrics.api import files, ingest, shapes
from services.metrics.api.filters import Asked
from services.metrics.api.keys import ApiKey, SecretKey
from services.metrics.api.schemas import AsSent, KeyInBrowser, ListedTransaction, Move, Overview, Results, Series, Transaction
from services.metrics.commands import TransactionCommands
from services.metrics.domain.periods import Bucket
from services.metrics.queries.lists import ListQueries
from services.metrics.queries.positions import AppPositions
from services.metrics.queries.sums import SumQueries
from shared.http.caller import Person, provided
from shared.http.headers import EventPosition, versioned, wait_for
from shared.http.paging import Cursors, CursorText, Limit, Page
from shared.http.routing import UNKEYED, Router

router = Router(prefix="/v1", tags=["metrics"])
Commands = Annotated[TransactionCommands, provided(TransactionCommands)]
Sums = Annotated[SumQueries, provided(SumQueries)]
Lists = Annotated[ListQueries, provided(ListQueries)]
Signed = Annotated[Cursors, provided(Cursors)]
Apps = Annotated[AppPositions, provided(AppPositions)]
Search = Annotated[str | None, Query(min_length=1, max_length=128, description="the beginning of a transaction id")]


@router.post(
    "/transactions",
    status_code=201,
    response_model=None,
    openapi_extra=UNKEYED,  # the transaction's own id is its idempotency key
    responses={201: {"model": Transaction | Results}, 207: {"model": Results, "description": "At least one item was refused"}},
)
async def record(body: Annotated[AsSent, Body()], caller: ApiKey, commands: Commands) -> Response:
    """Record one transaction, or up to 1,000; durable when this is answered. A public key may record the status created only."""
    sent = ingest.read(body)
    outcomes = await commands.record(sent.told, caller.details, caller.context(tenant=caller.details.tenant))
    return ingest.answer(sent, outcomes, secret=caller.details.secret)


@router.patch("/transactions/{transaction_id:path}", response_model=Transaction)
async def move(transaction_id: str, body: Move, caller: SecretKey, commands: Commands, response: Response) -> object:
    """Move a transaction's status forward."""
    context = caller.context(tenant=caller.details.tenant)
    moved = await commands.move(transaction_id, caller.details, context, status=body.status, provider_status=body.provider_status)
    versioned(response, "metrics", moved)
    return ingest.shape(moved.state, "moved", secret=True)


@router.get("/apps/{app_id}/overview")
async def overview(app_id: str, caller: Person, asked: Asked, sums: Sums, apps: Apps, position: EventPosition = None) -> Overview:
    """Counts and amounts by status, and how many there are today."""
    await wait_for(position, "registry", apps)
    found = await sums.get_overview(caller.account_id, app_id, asked, datetime.now(UTC))
    return shapes.overview(app_id, asked.zone.key, found)


@router.get("/apps/{app_id}/timeseries")
async def timeseries(
    app_id: str, caller: Person, asked: Asked, sums: Sums, apps: Apps, bucket: Bucket = Bucket.DAY, position: EventPosition = None
) -> Series:
    """Counts and amounts by hour, day or week of the time zone."""
    await wait_for(position, "registry", apps)
    points = await sums.get_series(caller.account_id, app_id, asked, bucket, datetime.now(UTC))
    return shapes.series(app_id, asked.zone.key, bucket, points)


@router.get("/apps/{app_id}/transactions")
async def list_transactions(
    app_id: str, caller: Person, asked: Asked, lists: Lists, signed: Signed, apps: Apps,
    limit: Limit = 50, cursor: CursorText = None, transaction_id: Search = None, position: EventPosition = None,
) -> Page[ListedTransaction]:  # fmt: skip
    """The newest first; at most 90 days when dates are given."""
    await wait_for(position, "registry", apps)
    bound = ("transactions", caller.account_id, app_id, asked.named(), transaction_id)
    after = signed.read(cursor, *bound)
    place = (datetime.fromisoformat(after["at"]), after["id"]) if after else None
    now = datetime.now(UTC)
    rows = await lists.list_transactions(caller.account_id, app_id, asked, now, search=transaction_id, after=place, limit=limit + 1)
    return Page.of(rows, limit, lambda last: signed.make({"at": last.occurred_at, "id": last.stream_id}, *bound), shapes.listed)


@router.get("/apps/{app_id}/transactions.csv", response_class=StreamingResponse, responses={200: {"content": {"text/csv": {}}}})
async def file(
    app_id: str, caller: Person, asked: Asked, lists: Lists, apps: Apps, transaction_id: Search = None, position: EventPosition = None
) -> Response:
    """The same rows as the list, as a file; its last line says how many there are."""
    await wait_for(position, "registry", apps)
    pages = await lists.list_file_pages(caller.account_id, app_id, asked, datetime.now(UTC), search=transaction_id)
    named = {"content-disposition": f'attachment; filename="transactions-{app_id}.csv"'}
    return StreamingResponse(files.lines(pages, asked.zone), headers=named, media_type="text/csv; charset=utf-8")


@router.get("/apps/{app_id}/refusals")
async def list_refusals(
    app_id: str, caller: Person, lists: Lists, signed: Signed, apps: Apps,
    limit: Limit = 50, cursor: CursorText = None, position: EventPosition = None,
) -> Page[KeyInBrowser]:  # fmt: skip
    """Secret keys that were refused because a browser sent them, the newest first."""
    await wait_for(position, "registry", apps)
    bound = ("refusals", caller.account_id, app_id)
    after = signed.read(cursor, *bound)
    place = (datetime.fromisoformat(after["at"]), after["id"], after["version"]) if after else None
    rows = await lists.list_refusals(caller.account_id, app_id, after=place, limit=limit + 1)
    return Page.of(
        rows, limit, lambda last: signed.make({"at": last.refused_at, "id": last.stream_id, "version": last.version}, *bound),
        shapes.key_in_browser,
    )  # fmt: skip
