"""Print the tables of these pages as Markdown, of the studies that have cells.

Run from the project's root after `dvc repro`: ``python docs/results/tables.py``.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from rarelens.cells import read_cells
from rarelens.comparison.question import question
from rarelens.comparison.segmentation import read_metrics
from rarelens.files import read_json

LABELS = ("auroc", "average_precision", "energy_inside", "pointing_game", "soft_iou")
CONTROLS = ("random_weights", "centre", "uniform")
UNITS = (
    "detectors",
    "detectors_beyond_null",
    "unique_concepts",
    "effective_rank",
    "linear_probe_auroc",
)
ASKED = ("auroc", "average_precision", "energy_inside", "energy_inside_matched")
ASKED += ("pointing_game", "soft_iou")
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
        for name in table.index.unique("class_name"):
            mean, wrong = table.loc[(name, "mean")], table.loc[(name, "negative_fraction")]
            shift = _interval(mean, "difference", "ci_low", "ci_high", "+")
            shares = [f"{wrong['train']:.1%}", f"{wrong['test']:.1%}"]
            sensitivity = summary[name].get("sensitivity")
            last = "" if sensitivity is None else f"{sensitivity:.3f}"
            margins = [f"{mean['train']:+.2f}", f"{mean['test']:+.2f}"]
            _row([cell.name, name, *margins, shift, *shares, last])


def labels() -> None:
    """One row per method of the classification study, means over classes; then its controls."""
    metrics = pd.read_csv("metrics/classification.csv", keep_default_na=False, na_values=[""])
    rows = metrics[metrics["class"] == "mean"]
    _row(["method", *LABELS])
    _row(["---"] * (len(LABELS) + 1))
    for method, own in rows[rows["layer"].isna()].groupby("method", sort=False):
        by = own.set_index("measure")
        bounds = ("mean", "ci_low", "ci_high")
        _row([method, *(_interval(by.loc[m], *bounds) if m in by.index else "" for m in LABELS)])
        for control in CONTROLS if method == own["baseline"].iloc[0] else ():
            names = [f"{each}_{control}" for each in LABELS]
            values = [_value(by, name, "mean") for name in names]
            _row([f"{method}: {control.replace('_', ' ')}", *values])
    print()
    units(metrics)


def units(metrics: pd.DataFrame) -> None:
    """One row per method and layer: what its units encode, means over seeds."""
    _row(["method", "layer", *UNITS, "detectors against baseline", "p (Holm)"])
    _row(["---"] * (len(UNITS) + 4))
    rows = metrics[metrics["layer"].notna() & metrics["class"].isin(["", "mean"])]
    for (method, layer), own in rows.groupby(["method", "layer"], sort=False):
        by = own.drop_duplicates("measure").set_index("measure")
        values = [_value(by, name, "mean") for name in UNITS]
        gain = [_value(by, "detectors", name) for name in ("baseline_difference", "p_holm")]
        _row([method, layer, *values, *gain])


def pairs() -> None:
    """One row per pair of methods: the classification study's question."""
    table = question(pd.read_csv("metrics/classification_pairs.csv", na_values=[""]))
    _row(["pair", *ASKED, "CKA (noise floor)", "same performance", "different inside"])
    _row(["---"] * (len(ASKED) + 4))
    for row in table.to_dict("records"):
        values = [
            f"{row[f'{name}_difference']:+.3g} (p {row[f'{name}_p_holm']:.2g})" for name in ASKED
        ]
        cka = f"{row['cka']:.2f} ({row['cka_noise_floor']:.2f})"
        kinds = ("alignment_differs", "concepts_differ", "cka_differs")
        inside = [kind.rpartition("_")[0] for kind in kinds if row[kind]]
        same = "yes" if row["same_performance"] else "no"
        pair = f"{row['method_a']} − {row['method_b']}"
        _row([pair, *values, cka, same, ", ".join(inside) or "no"])


def _value(by: pd.DataFrame, measure: str, column: str) -> str:
    known = measure in by.index and not pd.isna(by.loc[measure, column])
    return f"{by.loc[measure, column]:.3g}" if known else ""


def _interval(row: pd.Series, mean: str, low: str, high: str, sign: str = "") -> str:
    if pd.isna(row[mean]):
        return ""
    form = f"{{:{sign}.3g}}"
    text = form.format(row[mean])
    return text if pd.isna(row[low]) else f"{text} [{row[low]:{sign}.3g}, {row[high]:{sign}.3g}]"


def _row(values: list[str]) -> None:
    print("| " + " | ".join(str(value) for value in values) + " |")


if __name__ == "__main__":
    if read_cells(Path("cells/segmentation/cells.csv")):
        comparison()
        print()
        shifts()
    if read_cells(Path("cells/classification/cells.csv")):
        labels()
        print()
        pairs()
