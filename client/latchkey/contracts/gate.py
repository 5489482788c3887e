"""The gate over the contract's folder: the files are what the code says, and no frozen version is broken."""

import json
from collections.abc import Mapping
from pathlib import Path

from latchkey.contracts.compatibility import breaks

_FROZEN = "schemas"


def broken(folder: Path, files: Mapping[str, str]) -> list[str]:
    """How `files` would break the frozen schemas that lie in `folder`, as sentences."""
    found = []
    for path in sorted((folder / _FROZEN).glob("*.json")):
        name = f"{_FROZEN}/{path.name}"
        if name not in files:
            found.append(f"{name}: the event is gone; what was published stays published")
        else:
            found += [f"{name}: {sentence}" for sentence in breaks(json.loads(path.read_text("utf-8")), json.loads(files[name]))]
    return found


def different(folder: Path, files: Mapping[str, str]) -> list[str]:
    """Where folder and code differ, as sentences."""
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*.json")}
    missing = [f"{name}: is missing" for name in sorted(set(files) - present)]
    foreign = [f"{name}: belongs to no event" for name in sorted(present - set(files))]
    stale = [f"{name}: differs from the code" for name in sorted(set(files) & present) if (folder / name).read_text("utf-8") != files[name]]
    return missing + foreign + stale


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write every file."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
