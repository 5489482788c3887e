"""What an app's owner asks, with 100,000 to 10,000,000 transactions of one year: 99th percentiles over HTTP, and the rate of a file."""

import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import asyncpg
import psutil

from benchmarks.growth.curves import Curve
from benchmarks.measure import LOAD_CORE, QUICK, SERVER_CORE, pin
from benchmarks.serving import Running, product_with_keys
from stack.testing import RealStack

SIZES = (100_000, 1_000_000) if QUICK else (100_000, 1_000_000, 10_000_000)
TIMES, WARM_UP = 200, 20
FILE_ROWS = 1_000_000
_ROWS = """
INSERT INTO transactions_v1 (app_id, occurred_at, stream_id, environment, transaction_id, pair_id, amount, currency, payment_mode,
    payment_gateway, reference, status, provider_status, updated_at, version)
SELECT $1, $2::timestamptz + interval '365 days' * ((n - $5::bigint)::float8 / ($6::bigint - $5::bigint)), 'trx_' || n, 'test',
    'order-' || n, $3, (n % 50000)::numeric / 100, (ARRAY['USD', 'EUR', 'JPY'])[1 + n % 3], (ARRAY['card', 'transfer'])[1 + n % 2], 'bank',
    NULL, (ARRAY['succeeded', 'succeeded', 'succeeded', 'failed', 'refunded'])[1 + n % 5], NULL, $4::timestamptz, 1
FROM generate_series($5::bigint, $6::bigint - 1) n
"""
_CELLS = """
SELECT app_id, {start}, environment, status, currency, coalesce(payment_mode, ''), pair_id, count(*), sum(amount)
FROM transactions_v1 WHERE app_id = '{app}' GROUP BY 1, 2, 3, 4, 5, 6, 7
"""
_QUARTER, _DAY = "date_bin('15 minutes', occurred_at, 'epoch')", "date_trunc('day', occurred_at, 'UTC')"


async def run(stack: RealStack) -> Curve:
    """Milliseconds at the 99th percentile for each question."""
    lines: dict[str, list[float]] = {name: [] for name in (*_questions("", {}), "file, µs a row", "file, MB more memory")}
    async with product_with_keys(stack) as running:
        running.aside()
        server = running.server("metrics-main")
        pin(LOAD_CORE)
        if not await running.developer.sees(running.app["app_id"], 30):
            raise TimeoutError("metrics has not heard of the app")
        db = await asyncpg.connect(running.product.services["metrics"].database.owner)
        before = 0
        for size in SIZES:
            await _fill(db, running, before, size)
            before = size
            await running.developer.sign_in()  # a token lasts five minutes, which filling may take
            for name, asked in _questions(running.app["app_id"], running.pair).items():
                lines[name].append(await _p99(partial(running.developer.call, "GET", "metrics", asked[0], params=asked[1])))
            rate, grown = await _file(running, server)
            lines["file, µs a row"].append(1e6 / rate)
            lines["file, MB more memory"].append(max(grown, 0.1))
        await db.close()
    pin(SERVER_CORE)
    return Curve("overview", "What an owner asks, p99", "transactions of one year", "ms; of a file µs and MB", SIZES, lines)


def _questions(app_id: str, pair: Mapping[str, Any]) -> dict[str, tuple[str, dict[str, str]]]:
    """Every filter of the page, each with its path and parameters."""
    at = f"/v1/apps/{app_id}"
    today = datetime.now(UTC).date()
    days = {"from": f"{today - timedelta(days=89)}", "to": f"{today}", "tz": "America/New_York"}
    return {
        "overview": (f"{at}/overview", {}),
        "overview of a status": (f"{at}/overview", {"status": "failed"}),
        "overview of a currency": (f"{at}/overview", {"currency": "EUR"}),
        "overview of a mode and a pair": (f"{at}/overview", {"payment_mode": "card", "pair_id": pair.get("pair_id", "")}),
        "overview of 90 days in New York": (f"{at}/overview", days),
        "series of 90 days in New York": (f"{at}/timeseries", days),
        "series by week": (f"{at}/timeseries", {"bucket": "week"}),
        "first page of 90 days": (f"{at}/transactions", days),
        "search": (f"{at}/transactions", {"transaction_id": "order-4711"}),
    }


async def _fill(db: asyncpg.Connection, running: Running, first: int, last: int) -> None:
    now = datetime.now(UTC)
    app = running.app["app_id"]
    await db.execute(_ROWS, app, now - timedelta(days=365), running.pair["pair_id"], now, first, last, timeout=1800)
    for table, start, also in (("rollups_v1", _QUARTER, ""), ("daily_v1", _DAY, ", 0, 0")):
        cells = _CELLS.format(start=start, app=app).replace("sum(amount)\n", f"sum(amount){also}\n")
        await db.execute(f"DELETE FROM {table}")
        await db.execute(f"INSERT INTO {table} {cells}", timeout=1800)
    await db.execute("VACUUM ANALYZE", timeout=1800)


async def _p99(ask: Callable[[], Awaitable[Any]]) -> float:
    took = []
    for _ in range(WARM_UP + TIMES):
        started = time.perf_counter()
        answer = await ask()
        took.append(1000 * (time.perf_counter() - started))
        if answer.status_code != 200:
            raise RuntimeError(answer.text[:300])
    return sorted(took[WARM_UP:])[int(0.99 * TIMES)]


async def _file(running: Running, server: psutil.Process) -> tuple[float, float]:
    """Rows a second, and by how many megabytes the server grew meanwhile; of a million rows or of all there are."""
    before, rows, started = server.memory_info().rss, 0, time.perf_counter()
    url = f"{running.product.at['metrics']}/v1/apps/{running.app['app_id']}/transactions.csv"
    token = {"Authorization": f"Bearer {running.developer.token}"}
    async with running.developer.http.stream("GET", url, headers=token) as answer:
        async for chunk in answer.aiter_bytes():
            rows += chunk.count(b"\n")
            if rows >= FILE_ROWS:
                break
    return rows / (time.perf_counter() - started), (server.memory_info().rss - before) / 1e6
