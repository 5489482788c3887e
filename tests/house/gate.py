"""The gate of `make check` for what ruff, mypy and import-linter do not know: sizes, rooms, promises, READMEs."""

import sys
from pathlib import Path

from tests.house import rooms, sizes

if __name__ == "__main__":
    files = sizes.sources(Path.cwd())
    found = [*sizes.strays(files), *rooms.strays(files), *rooms.missing_readmes(Path.cwd())]
    sys.stdout.write("\n".join(found or ["sizes and rooms: kept"]) + "\n")
    sys.exit(bool(found))
