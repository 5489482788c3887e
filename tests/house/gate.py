"""The gate of `make check` for what ruff, mypy and import-linter do not know: sizes, rooms, names, promises, READMEs."""

import sys
from pathlib import Path

from tests.house import names, rooms, sizes

if __name__ == "__main__":
    root = Path.cwd()
    files = sizes.sources(root)
    found = [
        *(stray for law in (sizes, rooms, names) for stray in law.strays(files)),
        *rooms.missing_readmes(root),
        *names.prophecies(root),
        *names.burdens(root),
    ]
    sys.stdout.write("\n".join(found or ["sizes, rooms and names: kept"]) + "\n")
    sys.exit(bool(found))
