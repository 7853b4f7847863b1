"""Read the analyses of a segmentation study into one long table of values to be compared."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from rarelens.measures.overlap import MEASURES
from rarelens.studies.cells import Cell
from rarelens.studies.comparison.analyses import STUDY, require_tables
from rarelens.studies.files import read_json

POOLED_SHIFT = {
    "median": "shift_median",
    "standardised_difference": "shift_standardised",
    "wasserstein": "shift_wasserstein",
}
TABLES = ("overlap", "shift", "shift_by_case", "calibration")
COLUMNS = ["class_index", "class", "rule", "measure", "subject", "value"]


def read_values(cells: Sequence[Cell], analyses: Path) -> pd.DataFrame:
    """Every value that a study compares, one row a value.

    Args:
        cells: the study's models; folders of other cells are not looked at.
        analyses: the folder above ``<task>/<cell>``.

    Returns:
        Columns dataset, network, fraction, method, seed, class_index, class, rule ("all" or
        "largest_component"; what does not depend on it stands under "all"), measure, subject
        (the case; "" for a measure that is pooled over subjects) and value.

    Raises:
        RarelensError: one sentence for each folder or file that is missing.
    """
    require_tables(cells, analyses, TABLES)
    frames = []
    for cell in cells:
        frame = _cell_values(cell.folder(str(analyses)))
        for position, name in enumerate((*STUDY, "method", "seed")):
            frame.insert(position, name, getattr(cell, name))
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def _cell_values(folder: Path) -> pd.DataFrame:
    names = read_json(folder / "analysis.json")["classes"]
    tables = {table: pd.read_parquet(folder / f"{table}.parquet") for table in TABLES}
    values = pd.concat(
        [
            _overlap(tables["overlap"]),
            _margins(tables["shift_by_case"]),
            _pooled_shift(tables["shift"]),
            _calibration(tables["calibration"]),
        ],
        ignore_index=True,
    )
    values["class"] = [names[index] for index in values["class_index"]]
    return values[COLUMNS]


def _overlap(overlap: pd.DataFrame) -> pd.DataFrame:
    """Overlap per test subject; ``missed`` is 1 or 0 for subjects that have the structure."""
    test = overlap[overlap["side"] == "test"]
    missed = (test["outcome"] == "missed").astype(float)
    test = test.assign(missed=missed.where(test["outcome"].isin(["present", "missed"])))
    return _long(test, [*MEASURES, "missed"], rule=test["rule"])


def _margins(by_case: pd.DataFrame) -> pd.DataFrame:
    """Margin per subject and side, and each test subject's distance from the training mean.

    Each training subject weighs the same in that mean, as each test subject does in the
    comparison: weighted by voxels on one side only, a shift would appear that is only the
    difference between large and small structures.
    """
    train = by_case[by_case["side"] == "train"]
    test = by_case[by_case["side"] == "test"]
    train_mean = test["class"].map(train.groupby("class")["mean"].mean())
    return pd.concat(
        [
            _long(
                side.rename(columns={"mean": "margin"}),
                ["margin", "negative_fraction"],
                suffix=f"_{name}",
            )
            for name, side in (("train", train), ("test", test))
        ]
        + [_long(test.assign(shift_mean=test["mean"] - train_mean), ["shift_mean"])]
    )


def _pooled_shift(shift: pd.DataFrame) -> pd.DataFrame:
    known = shift[shift["statistic"].isin(list(POOLED_SHIFT))]
    return pd.DataFrame(
        {
            "class_index": known["class"],
            "rule": "all",
            "measure": known["statistic"].map(POOLED_SHIFT),
            "subject": "",
            "value": known["difference"],
        }
    )


def _calibration(calibration: pd.DataFrame) -> pd.DataFrame:
    sides = calibration[calibration["side"].isin(["train", "test"])]
    return pd.DataFrame(
        {
            "class_index": sides["class"],
            "rule": "all",
            "measure": "ece_" + sides["side"],
            "subject": "",
            "value": sides["ece"],
        }
    )


def _long(
    wide: pd.DataFrame, measures: list[str], rule: str | pd.Series = "all", suffix: str = ""
) -> pd.DataFrame:
    wide = wide.assign(rule=rule).rename(columns={"class": "class_index", "case": "subject"})
    keys = ["class_index", "rule", "subject"]
    long = wide.melt(id_vars=keys, value_vars=measures, var_name="measure", value_name="value")
    return long.assign(measure=long["measure"] + suffix)
