"""The shop's server: it holds the secret key, sends its purchases, and asks for the numbers back."""

import csv
import io
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from demo.calls import Calls, Endpoints, Refused
from demo.people import Developer
from demo.purchases import CURRENCY, Purchase, batches, sums, windows
from demo.story import Story

BATCH = 500
CSV_DAYS = 90


@dataclass
class Shop:
    """A program with a key, and its owner's view of the numbers."""

    calls: Calls
    at: Endpoints
    story: Story
    owner: Developer
    app_id: str

    async def send(self, purchases: Sequence[Purchase], secret_key: str) -> None:
        """All purchases in batches; a batch that was not answered is sent again, which has no second effect."""
        columns = (TextColumn("    {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        started = time.perf_counter()
        with Progress(*columns, console=self.story.console) as progress:
            bar = progress.add_task("purchases", total=len(purchases))
            for batch in batches(purchases, BATCH):
                await self._send(batch, secret_key)
                progress.advance(bar, len(batch))
        seconds = time.perf_counter() - started
        self.story.say(f"{len(purchases)} durable in {seconds:.2f} s, {len(purchases) / seconds:,.0f} a second, one connection")

    async def _send(self, batch: Sequence[Purchase], secret_key: str) -> None:
        body = {"transactions": [purchase.body() for purchase in batch]}
        answer = await self.calls("POST", f"{self.at.metrics}/v1/transactions", auth=(secret_key, ""), json=body, expect=(201, 207))
        refused = [result for result in answer.json()["results"] if result["status"] >= 400]  # an HTTP status
        if refused:
            raise Refused(f"{len(refused)} items, the first: {refused[0]}")

    async def overview(self, **filters: str) -> dict[str, Any]:
        """The numbers as the owner sees them."""
        url = f"{self.at.metrics}/v1/apps/{self.app_id}/overview"
        params = {"tz": "UTC"} | filters
        found: dict[str, Any] = (await self.calls("GET", url, headers=self.owner.bearer, params=params, expect=200)).json()
        return found

    async def check_overview(self, purchases: Sequence[Purchase]) -> None:
        """Totals, by status and with filters, each beside the file's."""
        expected, found = sums(purchases), await self.overview()
        self.story.check("transactions", found["total"], expected.count)
        by_status = {row["status"]: row for row in found["by_status"] if row["count"]}
        for status, count in sorted(expected.counts.items()):
            self.story.check(f"{status}", by_status[status]["count"], count)
            self.story.check(f"{status}, {CURRENCY}", _amount(by_status[status]), expected.amounts[status])
        self.story.check(f"all, {CURRENCY}", _amount(found), expected.amount)
        failed = await self.overview(status="failed")
        self.story.check("filtered by status=failed", failed["total"], expected.counts["failed"])
        await self._check_one_year(purchases)

    async def _check_one_year(self, purchases: Sequence[Purchase]) -> None:
        last = max(purchase.day for purchase in purchases)
        first = date(last.year, 1, 1)
        part = sums(purchase for purchase in purchases if purchase.day >= first)
        found = await self.overview(**{"from": first.isoformat(), "to": last.isoformat()})
        self.story.check(f"since {first}", (found["total"], _amount(found)), (part.count, part.amount))

    async def check_csv(self, purchases: Sequence[Purchase]) -> None:
        """Every window of 90 days as a file, its rows and its sum beside the file's."""
        days = [purchase.day for purchase in purchases]
        for first, last in windows(min(days), max(days), CSV_DAYS):
            expected = sums(purchase for purchase in purchases if first <= purchase.day <= last)
            rows = await self._download(first, last)
            amount = sum((Decimal(row["Amount"]) for row in rows), Decimal(0))
            self.story.check(f"CSV {first} to {last}", (len(rows), amount), (expected.count, expected.amount))

    async def _download(self, first: date, last: date) -> list[dict[str, str]]:
        url = f"{self.at.metrics}/v1/apps/{self.app_id}/transactions.csv"
        params = {"from": first.isoformat(), "to": last.isoformat(), "tz": "UTC"}
        answer = await self.calls("GET", url, headers=self.owner.bearer, params=params, expect=200)
        return [row for row in csv.DictReader(io.StringIO(answer.text)) if row["Transaction ID"].startswith("cdnow-")]

    async def verdict(self, key: str, service_token: str) -> str:
        """What the keys service says of a key."""
        headers = {"Authorization": f"Bearer {service_token}"}
        answer = await self.calls("POST", f"{self.at.keys}/v1/keys/verify", headers=headers, json={"key": key}, expect=200)
        code: str = answer.json()["code"]
        return code


def _amount(row: dict[str, Any]) -> Decimal:
    amounts = {entry["currency"]: Decimal(entry["amount"]) for entry in row["amounts"]}
    return amounts.get(CURRENCY, Decimal(0))
