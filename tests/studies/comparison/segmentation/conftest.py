"""A writer of small analyses by hand, for the tests of the comparison."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from rarelens.studies.cells import Cell

OVERLAP = ["sensitivity", "precision", "specificity", "volume_ratio", "hd95", "assd"]
LESION = dict.fromkeys(("volume", "iou", "margin"), float)
COUNTS = dict.fromkeys(("lesions", "detected", "false_alarms"), int)


def write_analysis(
    analyses: Path,
    cell: Cell,
    dice: dict[str, float],
    margins: dict[str, float] | None = None,
    train: dict[str, float] | None = None,
    groups: dict[str, str] | None = None,
    lesions: Sequence[tuple[Any, ...]] = (),
    counts: Sequence[tuple[Any, ...]] = (),
) -> None:
    """One cell: Dice and mean margin of the rare class per test case, margins of training cases.

    ``groups``: the patient of each case; without, each case is its own. ``lesions``: case, volume,
    IoU, margin; ``counts``: case, lesions, detected, false alarms; all of the test side.
    """
    folder = cell.folder(str(analyses))
    folder.mkdir(parents=True)
    names = {"bin_width": 0.5, "classes": ["background", "lesion"], "rare_classes": [1]}
    (folder / "analysis.json").write_text(json.dumps(names))
    rows = [
        {
            "case": case,
            "side": "test",
            "class": 1,
            "rule": rule,
            "dice": value,
            **dict.fromkeys(OVERLAP, 1.0),
            "hd95": 10 * (1 - value),
            "surface_dice": value,
            "outcome": "missed" if value == 0 else "present",
        }
        for rule in ("all", "largest_component")
        for case, value in dice.items()
    ]
    pd.DataFrame(rows).to_parquet(folder / "overlap.parquet", index=False)
    sides = {"train": train or {"s": 3.0, "t": 3.0}, "test": margins or dict.fromkeys(dice, 1.0)}
    by_case = [
        {"case": case, "side": side, "class": 1, "count": 5, "mean": mean, "negative_fraction": 0.1}
        for side, means in sides.items()
        for case, mean in means.items()
    ]
    pd.DataFrame(by_case).to_parquet(folder / "shift_by_case.parquet", index=False)
    names = {case: (groups or {}).get(case, case) for side in sides.values() for case in side}
    subjects = pd.DataFrame({"case": names.keys(), "group": names.values()})
    subjects.to_parquet(folder / "subjects.parquet", index=False)
    about = {"side": "test", "class": 1}
    table = pd.DataFrame(lesions, columns=["case", *LESION]).astype(LESION).assign(**about)
    table = table.assign(dice=2 * table["iou"] / (1 + table["iou"]), detected=table["iou"] > 0)
    table = table.assign(detected_iou=table["iou"] > 0.5)
    table.to_parquet(folder / "lesions.parquet", index=False)
    table = pd.DataFrame(counts, columns=["case", *COUNTS]).astype(COUNTS).assign(**about)
    table.to_parquet(folder / "lesion_counts.parquet", index=False)
    shift = {"class": [1], "class_name": ["lesion"], "statistic": ["median"], "difference": [-2.0]}
    pd.DataFrame(shift).to_parquet(folder / "shift.parquet", index=False)
    ece = {"side": ["train", "test"], "class": [1, 1], "ece": [0.01, 0.03]}
    pd.DataFrame(ece).to_parquet(folder / "calibration.parquet", index=False)


@pytest.fixture(scope="session")
def write() -> Callable[..., None]:
    """`write_analysis`."""
    return write_analysis
