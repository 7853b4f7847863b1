"""Read the analyses of a segmentation study into the long table of values to be compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from rarelens.measures.overlap import HELD
from rarelens.studies.catalogue import SEGMENTATION
from rarelens.studies.cells import Cell
from rarelens.studies.comparison.comparison import require_analyses
from rarelens.studies.comparison.engine import VALUES
from rarelens.studies.comparison.segmentation.lesion_values import lesion_values
from rarelens.studies.comparison.segmentation.shift import SIDES
from rarelens.studies.files import read_json

POOLED_SHIFT = {
    "median": "shift_median",
    "standardised_difference": "shift_standardised",
    "wasserstein": "shift_wasserstein",
}
TABLES = ("overlap", "shift", "shift_by_case", "calibration", "subjects")
LESIONS = ("lesions", "lesion_counts")


def require_values(cells: Sequence[Cell], analyses: Path) -> None:
    """Refuse analyses without the tables that are read here; as `require_analyses`."""
    tables = (f"{table}.parquet" for table in (*TABLES, *LESIONS))
    require_analyses(cells, analyses, ["analysis.json", *tables])


def read_values(cells: Sequence[Cell], analyses: Path) -> pd.DataFrame:
    """Every value of some models, one row a value.

    Args:
        cells: of one dataset, network and fraction.
        analyses: the folder above ``<task>/<cell>``.

    Returns:
        `VALUES`; rule is "all" or "largest_component", and "all" for what does not depend on it.
    """
    frames = [
        _cell_values(cell.folder(str(analyses))).assign(method=cell.method, seed=cell.seed)
        for cell in cells
    ]
    return pd.concat(frames, ignore_index=True)[VALUES]


def _cell_values(folder: Path) -> pd.DataFrame:
    names = dict(enumerate(read_json(folder / "analysis.json")["classes"]))
    overlap, shift, by_case, calibration, subjects = (
        pd.read_parquet(folder / f"{table}.parquet") for table in TABLES
    )
    group = subjects.set_index("case")["group"]
    values = [_overlap(overlap), *_margins(by_case)]
    values += [_pooled_shift(shift), _calibration(calibration)]
    lesions = (pd.read_parquet(folder / f"{table}.parquet") for table in LESIONS)
    values.append(lesion_values(*lesions).assign(rule="all"))
    table = pd.concat(values, ignore_index=True)
    table["group"] = table["case"].map({"": "", **group})
    return table.assign(layer="", **{"class": table["class"].map(names)})


def _overlap(overlap: pd.DataFrame) -> pd.DataFrame:
    """Overlap per test subject who has the structure; who has not can have a false alarm."""
    test = overlap[overlap["side"] == "test"]
    held = test["outcome"].isin(HELD)
    own = [name for name in SEGMENTATION if name in test and name != "specificity"]
    test = test.assign(
        **{name: test[name].where(held) for name in own},
        missed=(test["outcome"] == "missed").astype(float).where(held),
        false_alarm=(test["outcome"] == "false_alarm").astype(float).where(~held),
    )
    return _long(test, [name for name in SEGMENTATION if name in test])


def _margins(by_case: pd.DataFrame) -> list[pd.DataFrame]:
    """Margin per case and side."""
    found = []
    for side in SIDES:
        own = by_case[by_case["side"] == side].assign(rule="all")
        names = {"mean": f"margin_{side}", "negative_fraction": f"negative_fraction_{side}"}
        found.append(_long(own.rename(columns=names), list(names.values())))
    return found


def _pooled_shift(shift: pd.DataFrame) -> pd.DataFrame:
    measure = shift["statistic"].map(POOLED_SHIFT)
    return _pooled(shift.assign(measure=measure, value=shift["difference"])[measure.notna()])


def _calibration(calibration: pd.DataFrame) -> pd.DataFrame:
    sides = calibration[calibration["side"].isin(["train", "test"])]
    return _pooled(sides.assign(measure="ece_" + sides["side"], value=sides["ece"]))


def _pooled(table: pd.DataFrame) -> pd.DataFrame:
    return table[["class", "measure", "value"]].assign(rule="all", case="")


def _long(wide: pd.DataFrame, measures: list[str]) -> pd.DataFrame:
    keys = ["class", "rule", "case"]
    return wide.melt(id_vars=keys, value_vars=measures, var_name="measure", value_name="value")
