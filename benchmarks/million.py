"""A million keys: how long the verifier's table takes to load from the view, and what the process then holds in memory."""

import asyncio
import json
import subprocess
import sys
import time

import asyncpg
import psutil

from benchmarks.measure import QUICK, Figure, figure
from services.keys.projections.verifier_table import VerifierTable
from services.keys.wiring import MIGRATIONS, VIEWS
from shared.store.migrations import migrate
from shared.wake import LocalWake
from stack.layout import ROOT
from stack.testing import RealStack

PAIRS = 25_000 if QUICK else 500_000  # two keys each
ROUNDS = 1 if QUICK else 3
_SHARE = 2 * PAIRS / 1_000_000  # of the goals, which are those of a million
_SEED = """
INSERT INTO keyrings SELECT 'kr_' || id, 'app_' || id, 'live', 'acc_' || id, 1, 1 FROM (
    SELECT left(md5(n::text), 22) AS id FROM generate_series(1, $1::int) n);
INSERT INTO pairs SELECT 'kp_' || id, 'kr_' || id, 'kl_' || id, 'lk_pk_live_' || md5(n::text || 'p') || left(md5(n::text), 17),
    sha256(n::text::bytea), '0000', now(), NULL, '{}', '{}', '{}', 'active' FROM (
    SELECT n, left(md5(n::text), 22) AS id FROM generate_series(1, $1::int) n);
ANALYZE;
"""


async def run(stack: RealStack) -> list[Figure]:
    """Seconds and megabytes of a process that does nothing else."""
    database = stack.fresh_database("bench")
    await migrate(database.owner, MIGRATIONS, VIEWS)
    db = await asyncpg.connect(database.owner)
    for statement in _SEED.strip().split(";")[:-1]:
        await db.execute(statement.replace("$1", str(PAIRS)))
    await db.close()
    took, held = [], []
    for _ in range(ROUNDS):
        done = await asyncio.to_thread(
            subprocess.run, [sys.executable, "-m", "benchmarks.million", database.app], cwd=ROOT, capture_output=True, text=True, check=True
        )
        told = json.loads(done.stdout)
        took.append(told["seconds"])
        held.append(told["megabytes"])
    return [
        figure("verify", f"{2 * PAIRS:,} keys loaded", "s", took, goal=2.0 * _SHARE, smaller_is_better=True),
        figure("verify", f"memory of {2 * PAIRS:,} keys", "MB", held, goal=150 * _SHARE, smaller_is_better=True),
    ]


async def _loaded(dsn: str) -> dict[str, float]:
    table = VerifierTable(lambda: asyncpg.connect(dsn), LocalWake(), bound_seconds=1.0)
    before, started = psutil.Process().memory_info().rss, time.perf_counter()
    running = asyncio.create_task(table.run())
    while not table.fresh:  # noqa: ASYNC110  # the table tells nobody when it is
        await asyncio.sleep(0.005)
    took, held = time.perf_counter() - started, psutil.Process().memory_info().rss - before
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return {"seconds": took, "megabytes": held / 1e6}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(_loaded(sys.argv[1]))))  # for the process that started it
