"""Curves: what was measured at each size, kept as JSON and drawn."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import matplotlib as mpl

mpl.use("svg")
import matplotlib.pyplot as plt  # the way of drawing has to be chosen before

_COLOURS: Final = 10
ROOT: Final = Path(__file__).parents[2]


@dataclass(frozen=True)
class Curve:
    """One picture: `lines` by their names, each with a value for every size. Both axes are logarithmic unless `plain`, for time."""

    name: str
    title: str
    of: str
    unit: str
    sizes: Sequence[int]
    lines: Mapping[str, Sequence[float]]
    plain: bool = False


def save(curve: Curve) -> Path:
    """Write the numbers beside the benches' results, and the picture into docs."""
    (ROOT / "benchmarks" / "results" / f"growth-{curve.name}.json").write_text(json.dumps(asdict(curve), indent=1) + "\n")
    mpl.rcParams["svg.hashsalt"] = curve.name  # so that the same numbers give the same file
    figure, axes = plt.subplots(figsize=(7, 3.6))
    colours = mpl.colormaps["tab20" if len(curve.lines) > _COLOURS else "tab10"]
    axes.set_prop_cycle(color=[colours(number) for number in range(colours.N)])
    for name, values in curve.lines.items():
        axes.plot(curve.sizes, values, marker="" if curve.plain else "o", label=name)
    scale = "linear" if curve.plain else "log"
    axes.set(title=curve.title, xlabel=curve.of, ylabel=curve.unit, xscale=scale, yscale=scale)
    axes.grid(visible=True, alpha=0.3)
    axes.legend(fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5))
    file = ROOT / "docs" / f"growth-{curve.name}.svg"
    figure.savefig(file, bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)
    return file
