"""The licences of everything that the images hold, a line a package: `licences.py BILL…` reads CycloneDX bills of materials."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path


def lines(bills: Iterable[Path]) -> list[str]:
    """Name, version and licence, each package once."""
    parts = [part for bill in bills for part in json.loads(bill.read_text("utf-8"))["components"]]
    return sorted({f"{part['name']} {part['version']}  {part['licenses'][0]['license']['name']}" for part in parts})


if __name__ == "__main__":
    sys.stdout.write("\n".join(lines(map(Path, sys.argv[1:]))) + "\n")
