"""The client of metrics: the numbers and the transactions of an app."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from portal.apis.calls import Calls, View, given


class Money(View):
    currency: str
    amount: str


class StatusCount(View):
    status: str
    count: int
    amounts: Sequence[Money]


class Overview(View):
    app_id: str
    timezone: str
    as_of: datetime
    lag_seconds: float
    total: int
    today: int
    by_status: Sequence[StatusCount]
    amounts: Sequence[Money]


class Counted(View):
    count: int
    amounts: Sequence[Money]


class Point(Counted):
    start: datetime
    as_reported: Counted | None = None


class Series(View):
    timezone: str
    bucket: str
    points: Sequence[Point]


class Transaction(View):
    transaction_id: str
    environment: str
    pair_id: str
    creation_date: datetime
    last_update: datetime
    payment_mode: str | None
    payment_gateway: str | None
    currency: str
    amount: str
    status: str
    provider_status: str | None
    reference: str | None


class Transactions(View):
    items: Sequence[Transaction]
    next_cursor: str | None


class KeyInBrowser(View):
    refused_at: datetime
    environment: str
    pair_id: str
    origin: str


class KeysInBrowsers(View):
    items: Sequence[KeyInBrowser]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Metrics:
    """What an app's transactions come to. `filters` are the query parameters of the API."""

    calls: Calls

    async def overview(self, app_id: str, filters: Mapping[str, Any]) -> Overview:
        return await self.calls.read(Overview, f"/v1/apps/{app_id}/overview", params=given(filters))

    async def series(self, app_id: str, filters: Mapping[str, Any], bucket: str = "day") -> Series:
        return await self.calls.read(Series, f"/v1/apps/{app_id}/timeseries", params=given({**filters, "bucket": bucket}))

    async def transactions(self, app_id: str, filters: Mapping[str, Any], *, cursor: str | None = None, limit: int = 50) -> Transactions:
        params = given({**filters, "cursor": cursor, "limit": limit})
        return await self.calls.read(Transactions, f"/v1/apps/{app_id}/transactions", params=params)

    async def file(self, app_id: str, filters: Mapping[str, Any]) -> AsyncIterator[bytes]:
        """All rows as CSV, as they come. Refused and Away are raised before the first."""
        return await self.calls.stream(f"/v1/apps/{app_id}/transactions.csv", params=given(filters))

    async def refusals(self, app_id: str, *, limit: int = 10) -> KeysInBrowsers:
        return await self.calls.read(KeysInBrowsers, f"/v1/apps/{app_id}/refusals", params={"limit": limit})
