"""Test subjects without the structure: counted by themselves, in no mean of overlap."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from rarelens.studies.cells import Cell
from rarelens.studies.comparison.segmentation.compare import compare
from rarelens.studies.settings.results import Compare

SETTINGS = Compare(bootstrap=20, confidence=0.95, equivalence=0.02, least_positives=1, seed=1)


def means(folder, write, outcomes):
    """Of one method, three seeds, and Dice .6, .4, 0, … of the cases."""
    cells = [Cell("segmentation", "heart", "unet", "base", "1", seed) for seed in range(3)]
    dice = dict(zip("abcde", (0.6, 0.4, 0.0, 1.0, 0.0), strict=True))
    for cell in cells:
        write(folder, cell, dice)
        file = cell.folder(str(folder)) / "overlap.parquet"
        table = pd.read_parquet(file)
        table["outcome"] = table["case"].map(dict(zip("abcde", outcomes, strict=True)))
        table.to_parquet(file, index=False)
    table, _ = compare(cells, folder, "base", SETTINGS)
    return table[table["rule"] == "all"].set_index("measure")


def test_overlap_is_that_of_subjects_who_have_the_structure(tmp_path, write):
    found = means(tmp_path, write, ("present", "present", "missed", "absent", "false_alarm"))
    assert found.loc["dice", "mean"] == pytest.approx((0.6 + 0.4 + 0.0) / 3)
    assert found.loc["missed", "mean"] == pytest.approx(1 / 3)
    assert found.loc["false_alarm", "mean"] == pytest.approx(1 / 2)
    assert found.loc[["dice", "missed", "false_alarm"], "subjects"].tolist() == [3, 3, 2]
    # Voxels that are rightly left alone are everybody's.
    assert found.loc["specificity", "subjects"] == 5


def test_a_structure_that_no_test_subject_has_has_no_overlap(tmp_path, write):
    found = means(tmp_path, write, ("absent", "absent", "false_alarm", "absent", "false_alarm"))
    undefined = ["dice", "sensitivity", "precision", "volume_ratio", "hd95", "surface_dice"]
    assert found.loc[undefined, "mean"].isna().all()
    assert found.loc["false_alarm", "mean"] == pytest.approx(2 / 5)
    assert np.isnan(found.loc["missed", "mean"])
