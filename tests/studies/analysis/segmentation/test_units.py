from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from rarelens.measures.dissection import dissect
from rarelens.studies.analysis.segmentation.analyse import analyse
from rarelens.studies.analysis.segmentation.units import dissect_units, units_by_layer
from rarelens.studies.settings.segmentation.stages import AnalyseSegmentation

PATCHES, SIZE, LABELS = 12, (6, 6, 6), [1, 3]


@pytest.fixture
def masks() -> np.ndarray:
    """Of each patch: a box of label 1 in even ones, of label 3 in every third."""
    found = np.zeros((PATCHES, 2, *SIZE), bool)
    for patch in range(PATCHES):
        corner = patch % 4
        if patch % 2 == 0:
            found[patch, 0, corner : corner + 2, :3, :3] = True
        if patch % 3 == 0:
            found[patch, 1, 4:, corner : corner + 2, 3:] = True
    return found


@pytest.fixture
def write_units(masks: np.ndarray) -> Callable[[Path], dict[str, np.ndarray]]:
    """Writes two layers; unit 2 of the first follows label 3, unit 0 of the second label 1."""

    def write(folder: Path) -> dict[str, np.ndarray]:
        (folder / "activations").mkdir(parents=True)
        rng = np.random.default_rng(0)
        layers = {
            "model.0": rng.normal(0, 1, (PATCHES, 3, *SIZE)),
            "model.1.submodule": rng.normal(0, 1, (PATCHES, 2, *SIZE)),
        }
        layers["model.0"][:, 2] += 6 * masks[:, 1]
        layers["model.1.submodule"][:, 0] += 6 * masks[:, 0]
        layers = {name: own.astype(np.float16) for name, own in layers.items()}
        for name, own in layers.items():
            np.save(folder / "activations" / f"{name}.npy", own)
        np.save(folder / "masks.npy", masks)
        tiles = {"group": [f"patient{patch // 2}" for patch in range(PATCHES)]}
        pd.DataFrame(tiles).to_parquet(folder / "tiles.parquet")
        facts = {"layers": list(layers), "classes": LABELS, "size": list(SIZE)}
        (folder / "units.json").write_text(json.dumps(facts))
        return layers

    return write


def test_iou_is_that_of_a_plain_loop_and_class_is_the_label(
    write_units: Any, masks: np.ndarray, settings: AnalyseSegmentation, tmp_path: Path
) -> None:
    layers = write_units(tmp_path / "units")
    found = dissect_units(tmp_path / "units", settings)
    assert found["class"].unique().tolist() == LABELS
    assert len(found) == (3 + 2) * 2
    for _, row in found.iterrows():
        own = layers[row["layer"]][:, row["unit"]].astype(np.float64)
        active = own > np.quantile(own, 1 - settings.quantile)
        region = masks[:, LABELS.index(row["class"])]
        expected = (active & region).sum() / (active | region).sum()
        assert row["iou"] == pytest.approx(expected, abs=1e-12)
    # Two patches a patient, their masks exchanged together.
    units = layers["model.0"], masks
    patients = np.arange(PATCHES) // 2
    expected = dissect(*units, settings.quantile, groups=patients, permutations=20, seed=3)
    own = found[found["layer"] == "model.0"]
    np.testing.assert_array_equal(own["p_corrected"], expected.p_corrected.ravel())
    beyond = found[found["detects_beyond_null"]].set_index(["layer", "unit", "class"]).index
    assert {("model.0", 2, 3), ("model.1.submodule", 0, 1)} <= set(beyond)


def test_a_unit_that_detects_two_classes_counts_once() -> None:
    rows = [
        ("a", 0, 1, 0.3, True, True),
        ("a", 0, 2, 0.2, False, True),
        ("a", 1, 1, 0.1, False, False),
        ("a", 1, 2, 0.4, True, False),
        ("b", 0, 1, 0.01, False, False),
    ]
    columns = ["layer", "unit", "class", "iou", "detects", "detects_beyond_null"]
    assert units_by_layer(pd.DataFrame(rows, columns=columns)) == {
        "a": {"units": 2, "detectors": 2, "detectors_beyond_null": 1, "best_iou": 0.4},
        "b": {"units": 1, "detectors": 0, "detectors_beyond_null": 0, "best_iou": 0.01},
    }


def test_without_units_there_are_columns_and_no_rows(
    settings: AnalyseSegmentation, tmp_path: Path
) -> None:
    found = dissect_units(tmp_path / "units", settings)
    assert found.empty
    assert {"layer", "unit", "class", "iou", "ceiling", "null"} < set(found)
    assert units_by_layer(found) == {}


def test_a_cell_with_units_is_dissected(
    write_extract: Any,
    write_units: Any,
    subject: Any,
    settings: AnalyseSegmentation,
    tmp_path: Path,
) -> None:
    subjects = [subject(f"case{n}", side, n) for n, side in enumerate(["train", "test", "test"])]
    extract, prepared = write_extract(tmp_path, subjects, ["background", "lesion", "vessel"])
    write_units(extract / "units")
    target = tmp_path / "target"
    target.mkdir()
    analyse(extract, prepared, target, settings)
    table = pd.read_parquet(target / "dissection.parquet")
    pd.testing.assert_frame_equal(table, dissect_units(extract / "units", settings))
    facts = json.loads((target / "analysis.json").read_text())["units"]
    assert facts["model.0"]["units"] == 3
    assert facts["model.0"]["best_iou"] == table[table["layer"] == "model.0"]["iou"].max()
    assert json.loads((target / "summary.json").read_text())["layers"] == facts
