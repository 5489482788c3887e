"""`python -m latchkey.contracts`: write the contract from the code, or with `--check` say whether it is the same and unbroken."""

import argparse
import sys
from pathlib import Path

from latchkey.contracts.api import api
from latchkey.contracts.documents import contract
from latchkey.contracts.gate import broken, different, write
from latchkey.contracts.page import page


def main(arguments: list[str] | None = None) -> int:
    """Return 0 when all is well, 1 with a sentence for each thing that is not. A version that would break is never written over."""
    parser = argparse.ArgumentParser(prog="python -m latchkey.contracts", description=__doc__)
    parser.add_argument("--folder", type=Path, default=Path("contracts"), help="where the contract lies (default: contracts)")
    parser.add_argument("--page", type=Path, default=Path("docs/events.md"), help="the page for people (default: docs/events.md)")
    parser.add_argument("--api", type=Path, default=Path("client/API.md"), help="the page of the interface (default: client/API.md)")
    parser.add_argument("--check", action="store_true", help="write nothing, fail on any difference")
    parser.add_argument("--against", type=Path, help="another copy of the folder, such as the released one, whose schemas must hold too")
    options = parser.parse_args(arguments)
    files, pages = contract(), {options.page: page(), options.api: api()}
    faults = broken(options.folder, files)
    if options.against is not None:
        faults += broken(options.against, files)
    if options.check:
        faults += different(options.folder, files)
        faults += [
            f"{file}: differs from the code" for file, text in pages.items() if not file.is_file() or file.read_text("utf-8") != text
        ]
    elif not faults:
        write(options.folder, files)
        for file, text in pages.items():
            write(file.parent, {file.name: text})
    for fault in faults:
        sys.stderr.write(f"{fault}\n")
    if faults:
        sys.stderr.write("A frozen version only ever gains optional fields; anything else is a new version beside it.\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
