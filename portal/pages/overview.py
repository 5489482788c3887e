"""App Overview: how many transactions, where they stand, how they came in, filtered by what the URL says."""

import asyncio
from datetime import UTC, datetime

from fastapi import Response

from portal.apis.calls import Away
from portal.filters import Filters
from portal.numbers import Numbers, table
from portal.pages.frame import app_of
from portal.pages.numbers import context, gathered
from portal.pages.visit import AppId, Member, PageRouter, Visit

router = PageRouter()


@router.get("/pay/apps/{app_id}")
async def overview(visitor: Member, app_id: AppId) -> Response:
    """S34–S37, S40. Each part that is away is named where its part of the page would be."""
    filters = _filters(visitor)
    app, pairs, numbers = await gathered(visitor, app_id, Numbers.gather(visitor.metrics, app_id, filters, datetime.now(UTC)))
    told = context(visitor, app_id, filters, numbers.errors, pairs)
    return visitor.page(
        "numbers/overview.html", status=422 if numbers.errors else 200, app=app, section="overview", numbers=numbers, **told
    )


@router.get("/pay/apps/{app_id}/numbers")
async def fresh(visitor: Member, app_id: AppId) -> Response:
    """What of the overview changes by itself, for the script that shows it every five seconds."""
    filters, numbers = await _numbers(visitor, app_id)
    return visitor.page("numbers/numbers.html", numbers=numbers, **context(visitor, app_id, filters, numbers.errors))


@router.get("/pay/apps/{app_id}/overview.csv")
async def file(visitor: Member, app_id: AppId) -> Response:
    """The numbers of the chart. Without them it is an error page: a file would look complete."""
    filters, numbers = await _numbers(visitor, app_id)
    if isinstance(numbers.series, Away):
        raise numbers.series
    headers = {"content-disposition": f'attachment; filename="overview-{app_id}.csv"'}
    return Response(table(numbers.series, filters), media_type="text/csv; charset=utf-8", headers=headers)


async def _numbers(visitor: Visit, app_id: str) -> tuple[Filters, Numbers]:
    """The numbers alone. Raises Refused for an app of somebody else, which metrics cannot tell from one that it has not heard of."""
    filters = _filters(visitor)
    _, numbers = await asyncio.gather(app_of(visitor, app_id), Numbers.gather(visitor.metrics, app_id, filters, datetime.now(UTC)))
    return filters, numbers


def _filters(visitor: Visit) -> Filters:
    return Filters.read(visitor.request.query_params, visitor.session.zone)
