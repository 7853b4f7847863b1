"""Write the tables of costs.md, in Markdown, and its figure.

    python docs/explanation/costs.py

They are of ``docs/explanation/costs/costs.csv``, as ``benchmarks/cost_curves.py`` writes it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rarelens.studies.reporting.style import MARKERS, METHODS, MUTED, styled

FOLDER = Path(__file__).parent / "costs"
SWEEPS = {
    "volumes": ("voxels of a volume", 3),
    "cohort": ("cases", 1),
    "classes": ("classes", 1),
    "methods": ("methods of 3 seeds", 1),
    "seeds": ("seeds of 2 methods", 1),
    "pixels": ("pixels of an image", 2),
    "images": ("images", 1),
    "findings": ("findings", 1),
}
DRAWN = ("volumes", "cohort", "classes", "methods")
STAGES = ("simulate", "preprocess", "step", "train", "extract", "analyse", "compare", "report")


def exponent(sizes: pd.Series, costs: pd.Series) -> str:
    """Of the straight line, in logarithms, through the last two points."""
    with np.errstate(divide="ignore"):
        (low, high), (x, y) = np.log(costs.iloc[-2:]), np.log(sizes.iloc[-2:])
    return f"{(high - low) / (y - x):.1f}"


def number(value: float) -> str:
    """Two digits, and no power of ten."""
    return f"{value:.2g}" if value < 99.5 else f"{value:.0f}"


def label(stage: str) -> str:
    """As it is shown."""
    return "train, a step" if stage == "step" else stage


def table(rows: pd.DataFrame, sweep: str) -> str:
    """Of a sweep: a row a stage, seconds and MiB at each size, the exponent of the seconds."""
    name, power = SWEEPS[sweep]
    sizes = sorted(rows["value"].unique())
    shown = [f"{size}{'' if power == 1 else '²³'[power - 2]}" for size in sizes]
    lines = [f"| {name} | {' | '.join(shown)} | exponent |", f"|---|{'---|' * len(sizes)}---|"]
    for stage in STAGES:
        own = rows[rows["stage"] == stage].sort_values("value")
        if own.empty:
            continue
        cells = [
            number(seconds) + ("" if stage == "step" else f" · {mib:.0f}")
            for seconds, mib in zip(own["seconds"], own["own_mib"], strict=True)
        ]
        growth = exponent(own["value"] ** power, own["seconds"])
        lines.append(f"| {label(stage)} | {' | '.join(cells)} | {growth} |")
    return "\n".join(lines)


def figure(costs: pd.DataFrame) -> Figure:
    """Seconds above, MiB below, both axes in logarithms; dotted: as the size itself."""
    found = Figure(figsize=(11, 5.2), layout="constrained")
    axes = found.subplots(2, len(DRAWN), sharey="row")
    for (above, below), sweep in zip(axes.T, DRAWN, strict=True):
        rows = costs[costs["sweep"] == sweep]
        _panel(above, rows, sweep, "seconds", 0.02)
        _panel(below, rows[rows["stage"] != "step"], sweep, "own_mib", 1.0)
        below.set_xlabel(SWEEPS[sweep][0])
        below.set_ylim(bottom=0.9)
    axes[0, 0].set_ylabel("seconds of one core")
    axes[1, 0].set_ylabel("MiB")
    handles = axes[0, 0].get_legend_handles_labels()
    found.legend(*handles, loc="outside upper center", ncols=len(STAGES))
    return found


def _panel(axis: Axes, rows: pd.DataFrame, sweep: str, measure: str, start: float) -> None:
    """One measure of each stage, and the dotted line, from ``start``."""
    power = SWEEPS[sweep][1]
    for place, stage in enumerate(STAGES):
        own = rows[rows["stage"] == stage].sort_values("value")
        if own.empty:
            continue
        look = {"color": METHODS[place], "marker": MARKERS[place], "markersize": 4}
        costs = np.maximum(own[measure], 1 if measure == "own_mib" else 0)
        axis.plot(own["value"] ** power, costs, label=label(stage), linewidth=1.2, **look)
    places = np.unique(rows["value"])
    ends = places[[0, -1]].astype(float) ** power
    axis.plot(ends, start * ends / ends[0], ":", color=MUTED, linewidth=1)
    axis.set(xscale="log", yscale="log")
    axis.set_xticks(places**power, [f"{p}{'³' * (power > 1)}" for p in places])
    axis.minorticks_off()


def main() -> None:
    """Write and print."""
    costs = pd.read_csv(FOLDER / "costs.csv")
    with styled():
        figure(costs).savefig(FOLDER / "costs.png", dpi=90)
    for sweep in SWEEPS:
        if (rows := costs[costs["sweep"] == sweep]).size:
            print(f"\n{table(rows, sweep)}")


if __name__ == "__main__":
    main()
