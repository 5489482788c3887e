"""What the supervisor knows of each of its children, in a file that `up` and `status` read."""

import threading
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Literal

from stack.layout import Layout, read_json, write_json

Phase = Literal["starting", "up", "failed", "stopping"]
State = Literal["waiting", "starting", "up", "restarting", "done", "failed"]


@dataclass(frozen=True)
class Line:
    """One child or one step: its state, a word about it, how long it took to come up, how often it died."""

    state: State = "waiting"
    detail: str = ""
    seconds: float = 0
    deaths: int = 0


@dataclass(frozen=True)
class Report:
    """The whole board at one moment; `trouble` is the sentence that ended the start."""

    phase: Phase = "starting"
    trouble: str = ""
    lines: dict[str, Line] = field(default_factory=dict)


class Board:
    """The board as its one writer sees it; safe to use from many threads."""

    def __init__(self, layout: Layout, names: Iterable[str]) -> None:
        self.directory = layout.directory
        self._path, self._lock, self._began = layout.state, threading.Lock(), time.monotonic()
        self._report = Report(lines={name: Line() for name in names})
        self._write()

    def mark(self, name: str, state: State, detail: str = "") -> None:
        """Note the state of one line; coming up notes the time since the start, a restart counts a death."""
        with self._lock:
            old = self._report.lines[name]
            deaths = old.deaths + (state == "restarting")
            first = state in {"up", "done"} and not old.seconds
            seconds = max(0.1, round(time.monotonic() - self._began, 1)) if first else old.seconds
            self._report.lines[name] = Line(state, detail, seconds, deaths)
            self._write()

    def enter(self, phase: Phase, trouble: str = "") -> None:
        """Note the phase of the whole stack."""
        with self._lock:
            self._report = replace(self._report, phase=phase, trouble=trouble)
            self._write()

    def _write(self) -> None:
        write_json(self._path, asdict(self._report))


def read_board(layout: Layout) -> Report | None:
    """Return what the board says, or None when no supervisor ever wrote one here."""
    kept = read_json(layout.state)
    return None if kept is None else Report(kept["phase"], kept["trouble"], {name: Line(**line) for name, line in kept["lines"].items()})
