"""An app with transactions, sent over HTTP as a shop's server sends them."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.people import Developer

_PATIENCE = 60.0  # seconds, on a busy machine: keys hears of an app, and metrics of a pair, over Kafka


@dataclass
class Shop:
    """An app and its keys."""

    developer: Developer
    app_id: str
    pair: dict[str, Any]

    @property
    def path(self) -> str:
        """Its overview."""
        return f"/pay/apps/{self.app_id}"

    async def sell(self, *transactions: dict[str, Any]) -> None:
        """Record transactions; when this returns they are durable, and counted."""
        until = time.monotonic() + _PATIENCE
        for start in range(0, len(transactions), 1_000):
            batch = transactions[start : start + 1_000]
            while (answer := await self.developer.record(self.pair["secret_key"], *batch)).status_code != 201:
                assert time.monotonic() < until, answer.text
                await asyncio.sleep(0.2)


async def opened(developer: Developer, name: str = "Corner Shop", environment: str = "live") -> Shop:
    """An app whose owner metrics has heard of, with a pair of keys."""
    app_id = (await developer.add_app(name=name))["app_id"]
    shop = Shop(developer, app_id, await pair_of(developer, app_id, environment))
    await heard(developer, app_id)
    return shop


async def pair_of(developer: Developer, app_id: str, environment: str) -> dict[str, Any]:
    """A pair of keys, as soon as keys has heard of the app."""
    until = time.monotonic() + _PATIENCE
    while True:
        answer = await developer.call("POST", "keys", f"/v1/apps/{app_id}/keys", json={"environment": environment})
        if answer.status_code == 201:
            made: dict[str, Any] = answer.json()
            return made
        assert answer.status_code in {404, 403}, answer.text
        assert time.monotonic() < until, answer.text
        await asyncio.sleep(0.2)


async def known_to_keys(developer: Developer, app_id: str) -> None:
    """Return once keys knows whose app it is."""
    until = time.monotonic() + _PATIENCE
    while (answer := await developer.call("GET", "keys", f"/v1/apps/{app_id}/keys")).status_code != 200:
        assert time.monotonic() < until, answer.text
        await asyncio.sleep(0.2)


async def heard(developer: Developer, app_id: str) -> None:
    """Return once metrics knows whose app it is."""
    until = time.monotonic() + _PATIENCE
    while (answer := await developer.call("GET", "metrics", f"/v1/apps/{app_id}/overview")).status_code != 200:
        assert time.monotonic() < until, answer.text
        await asyncio.sleep(0.2)


def sale(name: str, *, days_ago: float = 0, **changes: str) -> dict[str, Any]:
    """A transaction."""
    at = datetime.now(UTC) - timedelta(days=days_ago)
    plain = {"transaction_id": name, "amount": "10.00", "currency": "USD", "status": "succeeded", "payment_mode": "card"}
    return plain | {"payment_gateway": "acme", "occurred_at": at.isoformat()} | changes


def assortment() -> list[dict[str, Any]]:
    """Seven, of which the filters leave different numbers: 4 succeeded, 2 EUR, 1 by bank, 3 of today, 6 of the last 30 days."""
    return [
        sale("order-1"), sale("order-2", currency="EUR", amount="20.50"), sale("order-3", status="failed"),
        sale("order-4", days_ago=3, payment_mode="bank"), sale("order-5", days_ago=10, status="pending"),
        sale("order-6", days_ago=20, currency="EUR", amount="7.25"), sale("order-7", days_ago=40, status="refunded"),
    ]  # fmt: skip
