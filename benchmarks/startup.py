"""A second `make up`: until everything serves, and what each Python process then holds in memory."""

import asyncio
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from benchmarks.measure import Figure, figure
from stack.layout import ROOT, Layout
from stack.ports import health_ports, offset
from stack.processes import Child

REST_SECONDS = 3.0
_LEAST = "its CPU over all cores"
BESIDE = 4_000
"""By how much its ports lie above those of this clone, whose own stack may be up."""


async def run() -> list[Figure]:
    """Seconds, with the migrations done by a first start, and the largest process at rest. Everything may use all cores from here on."""
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    with tempfile.TemporaryDirectory(prefix="latchkey-bench-") as folder:
        return await _measured(Layout(Path(folder)))


async def _measured(layout: Layout) -> list[Figure]:
    try:
        _stack(layout, "up")
        _stack(layout, "down")
        began, worked = time.perf_counter(), _worked(layout)
        _stack(layout, "up")
        took, least = time.perf_counter() - began, (_worked(layout) - worked) / (os.cpu_count() or 1)
        await asyncio.sleep(REST_SECONDS)
        ours = {name: _process(Child(layout, name)) for name in health_ports()}
        sizes = {name: _megabytes(process) for name, process in ours.items()}
        forked_from = {parent for process in ours.values() if (parent := process.parent())}
        together = sum(sizes.values()) + sum(map(_megabytes, forked_from))
    finally:
        _stack(layout, "clean", "--yes")
    largest = max(sizes, key=lambda name: sizes[name])
    return [
        figure(
            "start",
            "everything ready, second time",
            "s",
            [took],
            [least],
            peer=_LEAST,
            floor=30,
            goal=8,
            smaller_is_better=True,
            at_the_limit=True,
        ),
        figure("start", f"largest process ({largest})", "MB", [sizes[largest]], goal=120, smaller_is_better=True),
        figure("start", f"all {len(sizes)} processes and their parent, together", "MB", [together]),
    ]


def _stack(layout: Layout, *words: str) -> None:
    told = os.environ | {"LATCHKEY_PORT_OFFSET": str(offset() + BESIDE)}
    command = [sys.executable, "-m", "stack", *words, "--dir", str(layout.directory)]
    subprocess.run(command, check=True, cwd=ROOT, env=told, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def _worked(layout: Layout) -> float:
    """Seconds of CPU that `stack` has taken and those that it started, as far as they live."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = [Child(layout, file.stem).pid for file in layout.pids.glob("*.json")]
    parts = [psutil.Process(pid) for pid in started if pid is not None]
    living = {process for part in parts for process in (part, *part.children(recursive=True))}
    return ended.ru_utime + ended.ru_stime + sum(sum(process.cpu_times()[:2]) for process in living)


def _process(child: Child) -> psutil.Process:
    """Raises RuntimeError when it died."""
    if child.pid is None:
        raise RuntimeError(f"{child.name} died")
    return psutil.Process(child.pid)


def _megabytes(process: psutil.Process) -> float:
    """What is resident, of each page its share: processes that are forked from one another have pages in common."""
    return float(process.memory_full_info().pss) / 1e6
