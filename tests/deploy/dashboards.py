"""The dashboards as files: their panels and what these ask Prometheus."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from stack.layout import ROOT

GRAFANA: Final = ROOT / "deploy/grafana"
FILES: Final = tuple(sorted((GRAFANA / "dashboards").glob("*.json")))


def dashboard(file: Path) -> Mapping[str, Any]:
    """A dashboard as Grafana reads it."""
    read: Mapping[str, Any] = json.loads(file.read_text("utf-8"))
    return read


def queries() -> Iterator[str]:
    """Every query of every panel."""
    for file in FILES:
        for panel in dashboard(file)["panels"]:
            for target in panel["targets"]:
                yield target["expr"]
