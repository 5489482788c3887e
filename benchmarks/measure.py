"""How figures are taken: rounds in the order A-B-B-A, medians with their spread, and CPU time beside wall time."""

import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, TypeVar

QUICK: Final = bool(os.environ.get("BENCH_QUICK"))
"""One short round of each, to see that everything runs and nothing is far off: no figures to keep."""
ROUNDS: Final = 1 if QUICK else 5
RESULTS: Final = Path(__file__).parent / "results"
LOAD_CORE, SERVER_CORE = 0, 1
T = TypeVar("T")
Run = Callable[[], Awaitable[T]]


@dataclass(frozen=True)
class Figure:
    """One line of the table. `ratio` is ours divided by the peer's of the same run; the bounds speak of `judged` (rate or ratio).

    `at_the_limit` says that the peer does no more than what this machine makes nobody faster than: it is the limit.
    """

    path: str
    what: str
    unit: str
    ours: float
    low: float
    high: float
    peer: str = ""
    theirs: float | None = None
    judged: str = "rate"
    floor: float | None = None
    goal: float | None = None
    smaller_is_better: bool = False
    at_the_limit: bool = False

    @property
    def ratio(self) -> float | None:
        """Ours divided by theirs."""
        return None if not self.theirs else self.ours / self.theirs

    @property
    def verdict(self) -> str:
        """Which of the two bounds is reached."""
        value = self.ratio if self.judged == "ratio" else self.ours
        if value is None:
            return "not run"
        for name, bound in (("goal", self.goal), ("floor", self.floor)):
            if bound is not None and (value <= bound if self.smaller_is_better else value >= bound):
                return name
        return "missed" if self.floor is not None or self.goal is not None else ""

    def document(self) -> dict[str, Any]:
        """As the results' file has it; `floor` and `goal` are the ratio's where `judged` says so."""
        return {
            "name": f"{self.path}: {self.what}", "value": self.ours, "unit": self.unit, "floor": self.floor, "goal": self.goal,
            "spread": [self.low, self.high], "peers": {self.peer: self.theirs} if self.peer else {},
            "limit": self.theirs if self.at_the_limit else None, "judged": self.judged, "ratio": self.ratio, "verdict": self.verdict,
        }  # fmt: skip


async def interleaved(ours: Run[T], theirs: Run[T] | None = None, *, rounds: int = ROUNDS, warm: bool = False) -> tuple[list[T], list[T]]:
    """Run both in the order A-B-B-A; what drifts on the machine then weighs on both alike. Before it one of each, unless a run is `warm`
    by itself."""
    for run in () if warm else (ours, theirs):
        if run is not None:
            await run()
    if theirs is None:
        return [await ours() for _ in range(rounds)], []
    mine: list[T] = []
    peers: list[T] = []
    for turn in range(rounds):
        for run, into in ((ours, mine), (theirs, peers)) if turn % 2 == 0 else ((theirs, peers), (ours, mine)):
            into.append(await run())
    return mine, peers


def figure(path: str, what: str, unit: str, ours: Sequence[float], theirs: Sequence[float] = (), **rest: Any) -> Figure:
    """A line of the table from the rounds of both sides."""
    peer = statistics.median(theirs) if theirs else None
    return Figure(path, what, unit, statistics.median(ours), min(ours), max(ours), theirs=peer, **rest)


def _fsync_rate(seconds: float = 0.5) -> float:
    """How many times a second this machine makes 8 KiB durable: what every append pays for."""
    done, until = 0, time.perf_counter() + seconds
    with tempfile.NamedTemporaryFile(prefix="latchkey-bench-") as out:
        while time.perf_counter() < until:
            out.write(b"x" * 8192)
            out.flush()
            os.fdatasync(out.fileno())
            done += 1
    return done / seconds


def _python_speed() -> float:
    """Millions of turns of an empty loop a second: how quick one core is for Python while this runs, which varies on a shared machine."""
    took = []
    for _ in range(5):
        began = time.process_time()
        for _ in range(1_000_000):
            pass
        took.append(time.process_time() - began)
    return 1 / min(took)


def pin(core: int, pid: int = 0) -> None:
    """Keep a process, and whatever it starts from now on, on one core; on a machine with one core nothing happens."""
    if core < (os.cpu_count() or 1):
        os.sched_setaffinity(pid, {core})


def save(figures: Sequence[Figure], name: str = "") -> str:
    """Write the run with what it ran on, unless it was a quick one. Without a name it is its date's, and `latest.json` is a copy.

    Answers what was done.
    """
    if QUICK:
        return "a quick run is not kept"
    RESULTS.mkdir(exist_ok=True)
    now = datetime.now(UTC)
    document = {
        "at": now.isoformat(timespec="seconds"),
        "machine": {"cpu": _cpu(), "cores": os.cpu_count(), "kernel": platform.release(), "load": os.getloadavg()},
        "fsyncs_per_second": round(_fsync_rate()),
        "million_loops_per_second": round(_python_speed(), 1),
        "versions": {"python": platform.python_version()} | {name: version(name) for name in ("asyncpg", "aiokafka", "fastapi", "uvicorn")},
        "figures": [each.document() for each in figures],
    }
    text = json.dumps(document, indent=1) + "\n"
    file = RESULTS / f"{name or f'{now:%Y-%m-%d}'}.json"
    file.write_text(text)
    if not name:
        (RESULTS / "latest.json").write_text(text)
    return str(file)


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
