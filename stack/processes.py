"""Processes that outlive whoever started them: kept by pid and start time, so that a reused pid is never signalled."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stack.accounts import Account
from stack.layout import Layout, read_json, write_json

_LONG_LOG = 32 * 1024**2  # Looked at when a process starts; one older log is kept.


@dataclass(frozen=True)
class Command:
    """What to run, where, and as whom (None: as ourselves)."""

    argv: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path | None = None
    account: Account | None = None


def started_at(pid: int) -> int | None:
    """Return the clock tick since boot at which this process began, or None when it is gone (a zombie is gone)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name, field 2, may hold blanks and brackets; everything after its last bracket is plain.
    fields = text[text.rindex(")") + 2 :].split()
    return None if fields[0] in "ZX" else int(fields[19])


class Child:
    """One named process of a stack. Any program that knows the layout can find it, ask for it and end it."""

    def __init__(self, layout: Layout, name: str) -> None:
        self.name = name
        self.log = layout.logs / f"{name}.log"
        self._file = layout.pids / f"{name}.json"
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The pid while the process lives, else None."""
        record = read_json(self._file)
        if record and record["started"] is not None and started_at(record["pid"]) == record["started"]:
            return int(record["pid"])
        if self._popen is not None:
            self._popen.wait()  # A dead child of our own stays a zombie until somebody asks.
        return None

    def start(self, command: Command) -> None:
        """Start it in a session of its own, its output appended to its log; it lives on when we die."""
        who = command.account
        self.put_long_log_aside()
        with self.log.open("ab") as log:
            self._popen = subprocess.Popen(
                command.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(command.environment) or None,
                cwd=command.directory,
                start_new_session=True,
                user=who.uid if who else None,
                group=who.gid if who else None,
                extra_groups=[] if who else None,
            )
        self.record(self._popen.pid)

    def put_long_log_aside(self) -> None:
        """Before a start: a log that has grown long becomes the older one."""
        if self.log.exists() and self.log.stat().st_size > _LONG_LOG:
            self.log.replace(self.log.with_suffix(".log.1"))

    def record(self, pid: int) -> None:
        """Remember this process as the child; one that is gone already is remembered as gone."""
        write_json(self._file, {"pid": pid, "started": started_at(pid)})

    def send(self, sign: signal.Signals) -> None:
        """Signal it, if it lives."""
        if (pid := self.pid) is not None:
            os.kill(pid, sign)

    def wait(self, seconds: float) -> bool:
        """Return whether it is gone, as soon as it is and after this many seconds at the latest."""
        deadline = time.monotonic() + seconds
        while self.pid is not None:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def stop(self, sign: signal.Signals = signal.SIGTERM, seconds: float = 20) -> None:
        """Ask it to end, and after this many seconds make it; it is gone when this returns."""
        self.send(signal.SIGCONT)  # A stopped process would not hear the next one.
        self.send(sign)
        if not self.wait(seconds):
            self.kill()
        self._file.unlink(missing_ok=True)

    def kill(self) -> None:
        """End it with SIGKILL, as a power cut would; it is gone when this returns."""
        self.send(signal.SIGKILL)
        self.wait(10)

    def last_words(self, lines: int = 8) -> str:
        """Return the end of its log, for a message."""
        try:
            return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-lines:])
        except FileNotFoundError:
            return ""
