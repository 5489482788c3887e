"""The files of the dashboards, without an engine: Grafana would take them, and each panel says what it shows."""

import re
from pathlib import Path

import pytest

from stack.layout import ROOT
from tests.deploy.dashboards import FILES, GRAFANA, dashboard

_WIDTH = 24  # columns of Grafana's grid


def test_there_is_one_for_the_product_the_events_and_the_parts() -> None:
    assert [file.stem for file in FILES] == ["events", "parts", "product"]
    assert [dashboard(file)["uid"] for file in FILES] == [f"latchkey-{file.stem}" for file in FILES]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_panels_are_told_apart_and_lie_beside_one_another(file: Path) -> None:
    panels = dashboard(file)["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels) >= 8
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken
        assert place["x"] + place["w"] <= _WIDTH
        taken |= cells
        assert panel["description"].endswith(".")
        assert panel["fieldConfig"]["defaults"]["unit"]
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references) >= 1
        assert all(target["expr"] and target["legendFormat"] for target in panel["targets"])


def test_grafana_finds_prometheus_and_the_files_where_the_overlay_mounts_them() -> None:
    overlay = (ROOT / "deploy/observability.yml").read_text("utf-8")
    source = (GRAFANA / "provisioning/datasources/prometheus.yml").read_text("utf-8")
    provider = (GRAFANA / "provisioning/dashboards/latchkey.yml").read_text("utf-8")
    assert re.findall(r"^  ([a-z]+):$", overlay, re.MULTILINE) == ["prometheus", "grafana"]
    assert ("http://prometheus:9090" in source, "isDefault: true" in source) == (True, True)
    path = re.findall(r"path: ([^}]+)}", provider)[0]
    assert f"./deploy/grafana/dashboards:{path}:ro" in overlay
