"""Transactions as a CSV file: exactly the rows that the filters leave."""

import csv
import io
from collections.abc import AsyncIterator, Iterable
from zoneinfo import ZoneInfo

from services.metrics.queries.views import Listed


async def lines(pages: AsyncIterator[list[Listed]], zone: ZoneInfo) -> AsyncIterator[str]:
    """The header with the zone of its times, the rows page by page, and last how many there were: a file without that line was cut off."""
    yield _text([header(zone)])
    count = 0
    async for page in pages:
        count += len(page)
        yield _text(_row(listed, zone) for listed in page)
    yield _text([[f"# {count} rows"]])


def header(zone: ZoneInfo) -> list[str]:
    """The eight columns of S38."""
    return [
        "Transaction ID", f"Creation Date ({zone.key})", f"Last Update ({zone.key})", "Payment Mode", "Payment Gateway", "Currency",
        "Amount", "Status",
    ]  # fmt: skip


def _row(listed: Listed, zone: ZoneInfo) -> list[str | None]:
    return [
        listed.transaction_id, listed.occurred_at.astimezone(zone).isoformat(), listed.updated_at.astimezone(zone).isoformat(),
        listed.payment_mode, listed.payment_gateway, listed.currency, listed.amount, listed.status,
    ]  # fmt: skip


def _text(rows: Iterable[Iterable[str | None]]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()
