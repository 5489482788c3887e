"""Finish a CycloneDX bill of materials that uv wrote: our version, the parts' licences, nothing that changes from run to run.

`bill.py VERSION FILE`, with uv's words on standard input.
"""

import json
import sys
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path
from typing import Any


def licence_of(name: str) -> str:
    """What a package says of its licence: an SPDX expression, or the words of its classifiers."""
    try:
        told = metadata(name).json
    except PackageNotFoundError:  # of another platform
        return "not installed here"
    classified = [line.rpartition(" :: ")[2] for line in told.get("classifier", ()) if line.startswith("License ::")]
    free = str(told.get("license", "")).strip().partition("\n")[0]
    return str(told.get("license_expression", "")) or "; ".join(classified) or free or "not said"


def finished(bill: dict[str, Any], version: str) -> dict[str, Any]:
    """The same bill, told the same way each time."""
    bill.pop("serialNumber", None)
    bill["metadata"].pop("timestamp", None)
    text = json.dumps(bill).replace("@0.1.0", f"@{version}")
    told: dict[str, Any] = json.loads(text)
    for part in (told["metadata"]["component"], *told["components"]):
        if part["name"].startswith("latchkey"):
            part["version"] = version
            part["licenses"] = [{"license": {"name": "Apache-2.0"}}]
        else:
            part["licenses"] = [{"license": {"name": licence_of(part["name"])}}]
    return told


if __name__ == "__main__":
    Path(sys.argv[2]).write_text(json.dumps(finished(json.load(sys.stdin), sys.argv[1]), indent=1, sort_keys=True) + "\n", "utf-8")
