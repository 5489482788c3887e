"""The filters of every read, from query parameters."""

from datetime import date
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Depends, Query
from latchkey.keyformat import Environment

from services.metrics.domain import periods
from services.metrics.domain.errors import ZoneUnknown
from services.metrics.domain.statuses import Status
from services.metrics.queries.views import Filters
from shared.errors import FieldError

_Text = Annotated[str | None, Query(max_length=128)]


def asked(
    tz: Annotated[str, Query(max_length=64, description="IANA time zone in which dates, days and weeks are meant")] = "UTC",
    first: Annotated[date | None, Query(alias="from", description="the first day")] = None,
    last: Annotated[date | None, Query(alias="to", description="the last day, included")] = None,
    status: Annotated[tuple[Status, ...], Query()] = (),
    currency: Annotated[tuple[str, ...], Query()] = (),
    environment: Environment | None = None,
    payment_mode: Annotated[str | None, Query(min_length=1, max_length=128)] = None,
    pair_id: _Text = None,
    lineage_id: Annotated[str | None, Query(max_length=128, description="a pair and all that it was rotated from and to")] = None,
) -> Filters:
    """Raises ZoneUnknown and the refusals of a range of dates."""
    return Filters(_zone(tz), periods.dates(first, last), status, currency, environment, payment_mode, pair_id, lineage_id)


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ZoneUnknown(errors=(FieldError("tz", "zone_unknown", ZoneUnknown.title),)) from None


Asked = Annotated[Filters, Depends(asked)]
