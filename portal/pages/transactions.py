"""Transactions: eight columns, searched and filtered by what the URL says, and the same rows as a file."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Final, TypeVar

from fastapi import Response
from fastapi.responses import StreamingResponse

from portal.apis.calls import Away, Refused, attempt
from portal.apis.metrics import Transactions
from portal.filters import Filters
from portal.numbers import UNHEARD, dates_refused
from portal.pages.numbers import context, gathered
from portal.pages.visit import AppId, Member, PageRouter, Visit

router = PageRouter()
T = TypeVar("T")
_LIMIT: Final = 50
_NONE: Final = Transactions(items=(), next_cursor=None)
_TOO_EARLY: Final = "metrics.dates_too_early"


@router.get("/pay/apps/{app_id}/transactions")
async def transactions(visitor: Member, app_id: AppId, cursor: str | None = None) -> Response:
    """S38, S39: each refusal of the dates stands at its field, in its own words."""
    return await _page(visitor, app_id, Filters.read(visitor.request.query_params, visitor.session.zone), cursor)


@router.get("/pay/apps/{app_id}/transactions.csv")
async def file(visitor: Member, app_id: AppId) -> Response:
    """Exactly the filtered rows, as metrics streams them; wrong dates show the page that says what is wrong."""
    filters = Filters.read(visitor.request.query_params, visitor.session.zone)
    if filters.wrong:
        return await _page(visitor, app_id, filters, None)
    try:
        chunks = await _asking(filters, partial(visitor.metrics.file, app_id))
    except Refused as refused:
        if not dates_refused(refused):
            raise
        return await _page(visitor, app_id, filters, None)
    headers = {"content-disposition": f'attachment; filename="transactions-{app_id}.csv"'}
    return StreamingResponse(chunks, media_type="text/csv; charset=utf-8", headers=headers)


async def _page(visitor: Visit, app_id: str, filters: Filters, cursor: str | None) -> Response:
    app, pairs, (listed, errors) = await gathered(visitor, app_id, _listed(visitor, app_id, filters, cursor))
    told = context(visitor, app_id, filters, errors, pairs, "/transactions")
    return visitor.page(
        "numbers/transactions.html", status=422 if errors else 200, app=app, section="transactions", listed=listed, cursor=cursor,
        limit=_LIMIT, **told,
    )  # fmt: skip


async def _listed(visitor: Visit, app_id: str, filters: Filters, cursor: str | None) -> tuple[Transactions | Away, Mapping[str, str]]:
    """The rows, and what is wrong with the dates."""
    if filters.wrong:
        return _NONE, filters.wrong
    try:
        return await attempt(_asking(filters, partial(visitor.metrics.transactions, app_id, cursor=cursor, limit=_LIMIT))), {}
    except Refused as refused:
        if refused.code == UNHEARD:
            return _NONE, {}
        if errors := dates_refused(refused):
            return _NONE, errors
        raise


async def _asking(filters: Filters, ask: Callable[[Mapping[str, str]], Awaitable[T]]) -> T:
    """The answer. A preset ends today, so one that begins before everything leaves everything: it is asked for without dates."""
    asked = filters.asked(datetime.now(UTC))
    try:
        return await ask(asked)
    except Refused as refused:
        if filters.preset and refused.code == _TOO_EARLY:
            return await ask({name: value for name, value in asked.items() if name not in {"from", "to"}})
        raise
