"""Print the tables of these pages as Markdown: the comparison, and the shift of each cell.

Run from the project's root after `dvc repro`: ``python docs/results/tables.py``.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from rarelens.cells import read_cells
from rarelens.comparison.segmentation import read_metrics
from rarelens.files import read_json

MEASURES = ("dice", "sensitivity", "precision", "hd95", "shift_mean")


def comparison() -> None:
    """One row per dataset, network, fraction, class and method."""
    metrics = read_metrics(Path("metrics/segmentation.csv"))
    rare = metrics[(metrics["measure"].isin(MEASURES)) & (metrics["rule"].isin(["all", ""]))]
    head = ["dataset", "class", "method", *MEASURES, "Dice against baseline", "p (Holm)"]
    _row(head)
    _row(["---"] * len(head))
    keys = ["dataset", "network", "fraction", "class", "method"]
    for (dataset, _, _, name, method), rows in rare.groupby(keys, sort=False):
        by = rows.drop_duplicates("measure").set_index("measure")
        if "dice" not in by.index:
            continue
        cells = [_interval(by.loc[m], "mean", "ci_low", "ci_high") for m in MEASURES]
        dice = by.loc["dice"]
        gain = _interval(dice, "baseline_difference", "difference_low", "difference_high", "+")
        p = "" if pd.isna(dice["p_holm"]) else f"{dice['p_holm']:.3g}"
        _row([dataset, name, method, *cells, gain, p])


def shifts() -> None:
    """One row per cell and class: pooled mean margins, and the shift's interval over subjects."""
    head = ["cell", "class", "margin, training", "margin, test", "shift (interval)"]
    head += ["misclassified, training", "misclassified, test", "test sensitivity"]
    _row(head)
    _row(["---"] * len(head))
    for cell in read_cells(Path("cells/segmentation/cells.csv")):
        folder = cell.folder("analyses")
        table = pd.read_parquet(folder / "shift.parquet").set_index(["class_name", "statistic"])
        summary = read_json(folder / "summary.json")
        for name in summary:
            mean, wrong = table.loc[(name, "mean")], table.loc[(name, "negative_fraction")]
            shift = _interval(mean, "difference", "ci_low", "ci_high", "+")
            shares = [f"{wrong['train']:.1%}", f"{wrong['test']:.1%}"]
            sensitivity = summary[name].get("sensitivity")
            last = "" if sensitivity is None else f"{sensitivity:.3f}"
            margins = [f"{mean['train']:+.2f}", f"{mean['test']:+.2f}"]
            _row([cell.name, name, *margins, shift, *shares, last])


def _interval(row: pd.Series, mean: str, low: str, high: str, sign: str = "") -> str:
    if pd.isna(row[mean]):
        return ""
    form = f"{{:{sign}.3g}}"
    text = form.format(row[mean])
    return text if pd.isna(row[low]) else f"{text} [{row[low]:{sign}.3g}, {row[high]:{sign}.3g}]"


def _row(values: list[str]) -> None:
    print("| " + " | ".join(str(value) for value in values) + " |")


if __name__ == "__main__":
    comparison()
    print()
    shifts()
