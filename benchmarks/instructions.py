"""`python -m benchmarks.instructions [keep]`: what the pure hot code costs in processor instructions, beside what was kept of it.

Instructions are counted by Valgrind, so a busy machine changes nothing. Another build of Python gives other counts, so what is kept and
compared is each path's share of a plain loop counted in the same run.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from benchmarks.pure import LOOP, paths

ROOT: Final = Path(__file__).parents[1]
KEPT: Final = ROOT / "benchmarks" / "results" / "instructions.json"
MORE: Final = 1.05
"""A path that takes more than this share of what was kept has become dearer."""
TIMES: Final = 300


def main() -> int:
    """Count, print, and keep when told to; 1 when a path has become dearer."""
    if sys.argv[1:] == ["count"]:
        return _count()
    if shutil.which("valgrind") is None:
        print("✗ Valgrind is missing (Debian, Ubuntu: apt-get install valgrind).", file=sys.stderr)
        return 1
    counts = _counted()
    shares = {name: round(count / counts[LOOP], 3) for name, count in counts.items() if name != LOOP}
    if sys.argv[1:] == ["keep"]:
        KEPT.write_text(json.dumps(shares, indent=1) + "\n")
    kept: Mapping[str, float] = json.loads(KEPT.read_text())
    dearer = judged(shares, kept)
    for name, share in shares.items():
        verdict = "dearer" if name in dearer else "as kept"
        print(f"{name:32} {counts[name]:9,.0f} instructions  {share:7.2f} of the loop, kept {kept.get(name, 0):7.2f}  {verdict}")
    return 1 if dearer else 0


def judged(shares: Mapping[str, float], kept: Mapping[str, float]) -> list[str]:
    """The paths that have become dearer, or of which nothing is kept."""
    return [name for name, share in shares.items() if share > MORE * kept.get(name, 0)]


def _counted() -> dict[str, float]:
    """Instructions of one call of each path: a process does it many times, another not at all, and both started as one."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["setarch", "-R", "valgrind", "--tool=callgrind", f"--callgrind-out-file={folder}/%p", "--", sys.executable]
        environment = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            [*command, "-m", "benchmarks.instructions", "count"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    totals = {int(pid): int(count) for pid, count in re.findall(r"==(\d+)== Collected : (\d+)", done.stderr)}
    found: dict[str, Any] = json.loads(done.stdout)
    return {name: (totals[many] - totals[none]) / TIMES for name, (none, many) in found.items()}


def _count() -> int:
    """Within Valgrind: do each path in a process of its own, none and many times, and print which process did what."""
    made = paths()
    for call in made.values():  # what is made once, at the first call, belongs to no path
        call()
        call()
    print(json.dumps({name: (_child(call, ()), _child(call, range(TIMES))) for name, call in made.items()}))
    return 0


def _child(call: Callable[[], object], times: Iterable[int]) -> int:
    pid = os.fork()
    if pid == 0:
        for _ in times:
            call()
        os._exit(0)
    os.waitpid(pid, 0)
    return pid


if __name__ == "__main__":
    sys.exit(main())
