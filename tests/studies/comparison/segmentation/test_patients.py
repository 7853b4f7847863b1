"""Cases of one patient belong together in every mean, interval and test."""

from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from rarelens.measures.statistics import crossed_difference
from rarelens.studies.cells import Cell
from rarelens.studies.comparison.segmentation.compare import compare
from rarelens.studies.data.segmentation.splits import find_groups
from rarelens.studies.settings.results import Compare

SETTINGS = Compare(bootstrap=1000, confidence=0.95, equivalence=0.02, least_positives=1, seed=1)


def cell(method, seed=0):
    return Cell("segmentation", "heart", "unet", method, "1", seed)


def gain(folder, cells, measure="dice"):
    table, _ = compare(cells, folder, "base", SETTINGS)
    rows = table[(table["measure"] == measure) & (table["method"] == "other")]
    return rows[rows["rule"] == "all"].iloc[0]


def test_by_hand(tmp_path, write):
    """Two frames of patient a and one of b: frames differ by .1, .3 and −.4; mean .2 and −.4."""
    groups = {"a_1": "a", "a_2": "a", "b_1": "b", "t_1": "t", "t_2": "t", "u_1": "u"}
    train = {"t_1": 1.0, "t_2": 3.0, "u_1": 6.0}
    margins = {"a_1": 0.0, "a_2": 2.0, "b_1": 5.0}
    cells = [cell(method, seed) for method in ("base", "other") for seed in range(3)]
    for one in cells:
        other = (0.6 + 0.02 * one.seed, 0.8, 0.1)
        dice = other if one.method == "other" else (0.5, 0.5, 0.5)
        values = dict(zip(margins, dice, strict=True))
        write(tmp_path, one, values, margins, train, groups)
    row = gain(tmp_path, cells)
    assert row["mean"] == pytest.approx((0.71 + 0.1) / 2)
    known = row[["baseline_difference", "difference_low", "difference_high", "p"]].tolist()
    patients = [[0.2, -0.4], [0.21, -0.4], [0.22, -0.4]]
    assert known == pytest.approx(crossed_difference(patients)[:4])
    assert (row["wins"], row["ties"], row["losses"], row["subjects"]) == (1, 0, 1, 2)
    # Test patients are at 1 and 5, training patients at 2 and 6.
    shift = gain(tmp_path, cells, "shift_mean")
    assert shift["mean"] == pytest.approx(3.0 - 4.0)
    assert gain(tmp_path, cells, "margin_train")["subjects"] == 2


def test_training_subjects_are_resampled_for_the_interval_of_a_shift(tmp_path, write):
    """With one margin in all test subjects, what is left is the spread over training subjects."""
    rng = np.random.default_rng(0)
    pool = dict(zip("abcdefghij", rng.normal(4, 1, 10), strict=True))
    test = dict.fromkeys("qrstuvwxyz", 1.0)
    cells = [cell("base", seed) for seed in range(4)]
    for one in cells:
        train = {name: value + rng.normal(0, 0.01) for name, value in pool.items()}
        write(tmp_path, one, dict.fromkeys(test, 0.5), test, train)
    table, _ = compare(cells, tmp_path, "base", SETTINGS)
    row = table[table["measure"] == "shift_mean"].iloc[0]
    error = np.std(list(pool.values()), ddof=1) / np.sqrt(10)
    assert row["mean"] == pytest.approx(1 - np.mean(list(pool.values())), abs=0.01)
    # All seeds share the ten subjects: nine degrees of freedom.
    assert row["ci_high"] - row["ci_low"] == pytest.approx(2 * 2.262 * error, rel=0.05)
    assert row["p"] < 0.001


def test_few_patients_get_numbers_and_no_interval(tmp_path, write):
    cells = [cell(method, seed) for method in ("base", "other") for seed in range(3)]
    rng = np.random.default_rng(0)
    for one in cells:
        write(tmp_path, one, dict(zip("abcd", rng.uniform(size=4), strict=True)))
    for least, known in ((4, True), (5, False)):
        settings = SETTINGS.model_copy(update={"least_positives": least})
        table, pairs = compare(cells, tmp_path, "base", settings)
        dice = table[(table["measure"] == "dice") & (table["rule"] == "all")]
        assert dice["mean"].notna().all()
        assert (dice["ci_low"].notna() == known).all()
        assert pairs.loc[pairs["measure"] == "dice", "p"].notna().all() == known


def test_two_frames_of_a_heart_are_less_than_two_hearts(real_data, tmp_path, write):
    """Gains that follow the size of the real left ventricle's wall, alike in both frames."""
    files = sorted((real_data / "acdc" / "labelsTr").glob("*.nii.gz"))
    if not files:
        pytest.skip("no acdc in the folder of real data")
    cases = [file.name.removesuffix(".nii.gz") for file in files]
    walls = [int((np.asarray(nib.load(file).dataobj) == 2).sum()) for file in files]
    gains = np.array(walls) / max(walls)
    groups = dict(zip(cases, find_groups(cases, r"^(patient\d+)_", "acdc"), strict=True))
    assert len(set(groups.values())) * 2 == len(cases)
    rows = {}
    for kind, own in (("cases", None), ("patients", groups)):
        for seed in range(3):
            gained = gains - gains.mean() + 0.05 + 0.001 * seed
            for method, values in (("base", 0 * gains), ("other", gained)):
                dice = dict(zip(cases, values, strict=True))
                write(tmp_path / kind, cell(method, seed), dice, groups=own)
        rows[kind] = gain(
            tmp_path / kind, [cell(m, s) for m in ("base", "other") for s in range(3)]
        )
    widths = {kind: row["difference_high"] - row["difference_low"] for kind, row in rows.items()}
    assert rows["patients"]["subjects"] * 2 == rows["cases"]["subjects"] == len(cases)
    both = [row["baseline_difference"] for row in rows.values()]
    assert both[0] == pytest.approx(both[1])
    # Frames that were equal would make it wider by √2; chance alone, not at all.
    assert 1.2 < widths["patients"] / widths["cases"] < 1.5
    assert rows["patients"]["p"] > rows["cases"]["p"]
