"""Where a stack keeps its things: one folder, git-ignored, that can be thrown away as a whole."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Layout:
    """The folders and files of one stack. Nothing of a stack lies elsewhere, but for the two cases that `accounts` and `jars` explain."""

    directory: Path

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def logs(self) -> Path:
        return self.directory / "logs"

    @property
    def pids(self) -> Path:
        return self.directory / "pids"

    @property
    def mail(self) -> Path:
        return self.directory / "mail"

    @property
    def secrets(self) -> Path:
        return self.directory / "secrets.json"

    @property
    def endpoints(self) -> Path:
        return self.directory / "endpoints.json"

    @property
    def state(self) -> Path:
        """What the supervisor says of its children, for `up` and `status`."""
        return self.directory / "state.json"

    def make(self) -> None:
        """Make the folders; others may pass through them, because PostgreSQL runs under another uid when we are root."""
        for folder in (self.directory, self.data, self.logs, self.pids, self.mail):
            folder.mkdir(parents=True, exist_ok=True)
            if folder.stat().st_uid == os.geteuid():
                folder.chmod(0o711)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other program that starts or stops this stack waiting."""
        with (self.directory / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def read_json(path: Path) -> Any:
    """Return what `write_json` wrote there, or None when there is no such file."""
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None


def write_json(path: Path, value: object) -> None:
    """Replace the file as a whole, readable by its owner only: a reader sees the old or the new, never a half."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(value, file, indent=2)
        file.write("\n")
    fresh.replace(path)
