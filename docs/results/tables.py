"""Print the tables of these pages as Markdown, of the studies that have cells.

Run from the project's root after `dvc repro`: ``python docs/results/tables.py``.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from rarelens.studies.cells import read_cells
from rarelens.studies.comparison.classification.claims import answer
from rarelens.studies.comparison.metrics import read_metrics
from rarelens.studies.files import read_json

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
GAINS = ("sensitivity", "dice", "shift_mean", "false_alarms", "negative_fraction_train")
MEASURES = ("dice", "sensitivity", "precision", "hd95", "shift_mean")


def comparison() -> None:
    """One row per dataset, network, fraction, class and method."""
    metrics = read_metrics(Path("metrics/segmentation.csv"))
    rare = metrics[(metrics["measure"].isin(MEASURES)) & (metrics["rule"].isin(["all", ""]))]
    head = ["dataset", "network", "fraction", "class", "method", *MEASURES]
    head += ["Dice against baseline", "p (Holm)"]
    _row(head)
    _row(["---"] * len(head))
    keys = ["dataset", "network", "fraction", "class", "method"]
    for (dataset, network, fraction, name, method), rows in rare.groupby(keys, sort=False):
        by = rows.drop_duplicates("measure").set_index("measure")
        if "dice" not in by.index:
            continue
        cells = [_interval(by.loc[m], "mean", "ci_low", "ci_high") for m in MEASURES]
        dice = by.loc["dice"]
        gain = _interval(dice, "baseline_difference", "difference_low", "difference_high", "+")
        p = "" if pd.isna(dice["p_holm"]) else f"{dice['p_holm']:.3g}"
        _row([dataset, network, fraction, name, method, *cells, gain, p])


def across() -> None:
    """One row per comparison, claimed class and method: the shift, and what the method gains."""
    metrics = read_metrics(Path("metrics/segmentation.csv"))
    metrics = metrics[metrics["rule"].isin(["all", ""])]
    keys = ["dataset", "network", "fraction"]
    claimed = metrics[metrics["claim"] & (metrics["measure"] == "shift_mean")]
    if len(claimed.drop_duplicates(keys)) < 2:
        return
    _row([*keys, "class", "misclassified, training → test", "shift", "p (Holm)", "mean test margin",
          "method", "sensitivity: gain", "p (Holm)", "Dice: gain", "p (Holm)",
          "shift: difference", "p (Holm)", "false alarms a case: change"])  # fmt: skip
    _row(["---"] * 14)
    for values, own in metrics.groupby([*keys, "class"], sort=False):
        by = own.set_index(["method", "measure"])
        base = own["baseline"].iloc[0]
        shift = by.loc[(base, "shift_mean")]
        if pd.isna(shift["p_holm"]):
            continue
        shares = [by.loc[(base, f"negative_fraction_{side}"), "mean"] for side in ("train", "test")]
        margin = _interval(by.loc[(base, "margin_test")], "mean", "ci_low", "ci_high", "+")
        told = [" → ".join(f"{share:.1%}" for share in shares)]
        told += [_interval(shift, "mean", "ci_low", "ci_high", "+"), f"{shift['p_holm']:.2g}"]
        for method in (name for name in own["method"].unique() if name != base):
            gains = []
            for measure in ("sensitivity", "dice", "shift_mean", "false_alarms"):
                row = by.loc[(method, measure)] if (method, measure) in by.index else None
                bounds = ("baseline_difference", "difference_low", "difference_high")
                gains.append("" if row is None else _interval(row, *bounds, "+"))
                if measure != "false_alarms":
                    known = row is not None and not pd.isna(row["p_holm"])
                    gains.append(f"{row['p_holm']:.2g}" if known else "")
            _row([*values, *told, margin, method, *gains])
    print()


def gains() -> None:
    """Of each measure a table: a row per method, a column per rare class; bold: p (Holm) < .05."""
    metrics = read_metrics(Path("metrics/segmentation.csv"))
    metrics = metrics[metrics["rule"].isin(["all", ""])]
    varied = [key for key in ("dataset", "network", "fraction") if len(metrics[key].unique()) > 1]
    keys = [*varied, "class"]
    rare = metrics[metrics["rare"] & (metrics["measure"] == "shift_mean")]
    classes = list(rare[keys].drop_duplicates().itertuples(index=False, name=None))
    methods = [m for m in metrics["method"].unique() if m != metrics["baseline"].iloc[0]]
    bounds = ("baseline_difference", "difference_low", "difference_high")
    for measure in GAINS if classes else ():
        own = metrics[metrics["measure"] == measure].set_index([*keys, "method"])
        print(f"\n{measure}\n")
        _row(["method", *(", ".join(map(str, key)) for key in classes)])
        _row(["---"] * (1 + len(classes)))
        for method in methods:
            places = [(*key, method) for key in classes]
            found = [own.loc[place] if place in own.index else None for place in places]
            told = ["" if row is None else _interval(row, *bounds, "+") for row in found]
            held = [row is not None and row["p_holm"] < 0.05 for row in found]
            _row([method, *(f"**{t}**" if h else t for t, h in zip(told, held, strict=True))])


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


def asymmetric() -> None:
    """One row per claim: an asymmetric method against its symmetric form."""
    table = read_metrics(Path("metrics/segmentation_pairs.csv"))
    claims = table[table["claim"]]
    if claims.empty:
        return
    print()
    _row(["dataset", "class", "method", "measure", "against its symmetric form", "p (Holm)"])
    _row(["---"] * 6)
    for row in claims.to_dict("records"):
        gap = _interval(pd.Series(row), "difference", "low", "high", "+")
        names = (row["dataset"], row["class"], row["method_b"], row["measure"])
        _row([*names, gap, f"{row['p_holm']:.3g}"])


def pairs() -> None:
    """One row per pair of methods: the classification study's question."""
    table = read_metrics(Path("metrics/classification_pairs.csv"))
    _row(["pair", *ASKED, "performance", "equivalent within", "inside", "p (Holm)"])
    _row(["---"] * (len(ASKED) + 5))
    for (first, second), rows in table.groupby(["method_a", "method_b"], sort=False):
        mean = rows[rows["class"] == "mean"].drop_duplicates("quantity").set_index("quantity")
        gaps = [_interval(mean.loc[name], "difference", "low", "high", "+") for name in ASKED]
        found, p = answer(rows), mean.loc["differs_inside", "p_holm"]
        inside = "different" if found.inside else "undecided"
        claims = [found.performance, f"±{found.within:.3g}", inside, f"{p:.3g}"]
        _row([f"{first} − {second}", *gaps, *claims])


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
        across()
        comparison()
        gains()
        asymmetric()
        print()
        shifts()
    if read_cells(Path("cells/classification/cells.csv")):
        labels()
        print()
        pairs()
