"""The tables, logits and units of a model's extract."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import pandas as pd

from folders import digests
from rarelens.studies.data.segmentation.patches import PatchSampler
from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.extraction.segmentation import voxels
from rarelens.studies.extraction.segmentation.extract import extract
from rarelens.studies.models.segmentation.model import SegmenterCard
from rarelens.studies.models.storage import read_card
from rarelens.studies.settings.segmentation.stages import ExtractSegmentation

Settings = Callable[..., ExtractSegmentation]


def full_logits(extracted: Path, case: str) -> np.ndarray:
    with h5py.File(extracted / "logits" / f"{case}.h5") as file:
        assert file["logits"].dtype == np.float16
        return file["logits"][()].astype(np.float32)


def test_every_case_of_every_side(extracted: Path, model: Path, tiny: PreparedDataset) -> None:
    table = pd.read_parquet(extracted / "cases.parquet")
    card = read_card(model, SegmenterCard)
    sides = {
        "train": card.training_cases,
        "validation": card.validation_cases,
        "test": tiny.cases("test"),
    }
    assert list(table.itertuples(index=False, name=None)) == [
        (case, side) for side, cases in sides.items() for case in sorted(cases)
    ]
    for kind, ending in (("predictions", ".nii.gz"), ("logits", ".h5")):
        names = sorted(file.name.removesuffix(ending) for file in (extracted / kind).iterdir())
        assert names == sorted(table["case"])
    for name in ("moments", "histograms", "calibration", "sample"):
        frame = pd.read_parquet(extracted / f"{name}.parquet")
        assert list(frame)[:2] == ["case", "side"]
        assert frame[["case", "side"]].drop_duplicates().to_numpy().tolist() == (
            table.to_numpy().tolist()
        )


def test_label_maps_are_the_largest_logit(extracted: Path, tiny: PreparedDataset) -> None:
    for case in tiny.cases("test"):
        made = nib.load(extracted / f"predictions/{case}.nii.gz")
        logits = full_logits(extracted, case)
        turned = np.asarray(nib.as_closest_canonical(made).dataobj)
        ordered = np.sort(logits, axis=0)
        clear = ordered[-1] - ordered[-2] > 0.05  # Beyond what float16 may turn round.
        assert clear.mean() > 0.9
        np.testing.assert_array_equal(turned[clear], logits.argmax(0)[clear])


def test_moments_are_those_of_the_full_logits(extracted: Path, tiny: PreparedDataset) -> None:
    moments = pd.read_parquet(extracted / "moments.parquet")
    assert (moments["count"] > 0).all()
    for case in tiny.cases("test"):
        logits, labels = full_logits(extracted, case), tiny.label(case)
        found = moments[moments["case"] == case].set_index("class")
        expected = voxels.moments(logits.reshape(3, -1), np.ravel(labels)).set_index("class")
        assert found["count"].tolist() == list(tiny.table["voxels"][case])
        for column in ("sum", "sum_squares"):
            size = np.abs(expected["sum"]) + expected["count"]
            assert (
                np.abs(found[column] - expected[column])
                < 0.01 * size + 0.01 * expected["sum_squares"]
            ).all()
        assert (np.abs(found["negative"] - expected["negative"]) <= 3).all()


def test_counts_agree_between_tables(extracted: Path) -> None:
    keys = ["case", "side", "class"]
    moments = pd.read_parquet(extracted / "moments.parquet").set_index(keys)["count"]
    histograms = pd.read_parquet(extracted / "histograms.parquet")
    for _, rows in histograms.groupby("quantity"):
        found = rows.groupby(keys)["count"].sum()
        pd.testing.assert_series_equal(found, moments.sort_index(), check_dtype=False)
    sides = moments.groupby(["side", "class"]).sum()
    joint = pd.read_parquet(extracted / "joint.parquet")
    for (side, label, _), rows in joint.groupby(["side", "class", "foreground"]):
        assert rows["count"].sum() == sides[side, label]
    calibration = pd.read_parquet(extracted / "calibration.parquet").groupby(keys).sum()
    totals = moments.groupby(["case", "side"]).sum()
    for (case, side, label), row in calibration.iterrows():
        assert row["count"] == totals[case, side]
        assert row["sum_positive"] == moments.get((case, side, label), 0)


def test_histograms_hold_the_moments_within_half_a_bin(
    extracted: Path, extraction: Settings
) -> None:
    width = extraction().bin_width
    keys = ["case", "side", "class"]
    moments = pd.read_parquet(extracted / "moments.parquet").set_index(keys).sort_index()
    rows = pd.read_parquet(extracted / "histograms.parquet").query("quantity == 'margin'")
    middles = (rows["bin"] + 0.5) * width * rows["count"]
    means = middles.groupby([rows[key] for key in keys]).sum() / moments["count"]
    assert (np.abs(means - moments["sum"] / moments["count"]) <= width / 2).all()


def test_the_sample_holds_the_logits_at_its_positions(
    extracted: Path, tiny: PreparedDataset
) -> None:
    sample = pd.read_parquet(extracted / "sample.parquet")
    assert sample.groupby(["case", "class"]).size().max() == 20
    for case, rows in sample.groupby("case"):
        x, y, z = rows[["x", "y", "z"]].to_numpy().T
        np.testing.assert_array_equal(tiny.label(case)[x, y, z], rows["class"])
        expected = full_logits(extracted, case)[:, x, y, z].T
        np.testing.assert_allclose(rows[["z_0", "z_1", "z_2"]], expected, atol=0.01, rtol=0.001)


def test_panels_description_and_history(
    extracted: Path, model: Path, tiny: PreparedDataset
) -> None:
    assert sorted(file.name for file in (extracted / "panels").iterdir()) == ["1.npz", "2.npz"]
    with np.load(extracted / "panels/1.npz") as panel:
        assert panel["image"].shape == tuple(tiny.table["shape"][tiny.cases("test")[0]])[:2]
    assert json.loads((extracted / "extract.json").read_text()) == {
        "bin_width": 0.0625,
        "joint_bin_width": 0.5,
        "calibration_bins": 5,
        "classes": ["background", "left", "right"],
        "rare_classes": [1, 2],
        "logit_bias": [0, 0, 0],
    }
    assert (extracted / "history.csv").read_bytes() == (model / "history.csv").read_bytes()


def test_the_same_bytes_twice(
    extracted: Path, model: Path, tiny: PreparedDataset, extraction: Settings, tmp_path: Path
) -> None:
    extract(model, tiny, tmp_path, extraction())
    assert digests(tmp_path) == digests(extracted)


def test_full_logits_and_panels_only_on_request(
    model: Path, tiny: PreparedDataset, extraction: Settings, tmp_path: Path
) -> None:
    extract(model, tiny, tmp_path, extraction(full_logits=False, panels=0))
    assert not (tmp_path / "logits").exists()
    assert list((tmp_path / "panels").iterdir()) == []


def test_units_are_those_of_patches_of_the_test_subjects(
    model: Path, tiny: PreparedDataset, extraction: Settings, tmp_path: Path
) -> None:
    layers = ("model.0", "model.1.submodule")
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        extract(model, tiny, tmp_path / name, extraction(seed=5), units=layers)
    assert digests(tmp_path / "a") == digests(tmp_path / "b")
    units = tmp_path / "a" / "units"
    assert json.loads((units / "units.json").read_text())["classes"] == [1, 2]
    sampler = PatchSampler(tiny, tiny.cases("test"), (16, 16, 16), 1, 0.5, seed=5)
    labels = np.concatenate([sampler.batch(tile).labels for tile in range(4)])
    masks = np.load(units / "masks.npy")
    np.testing.assert_array_equal(masks, np.stack([labels == 1, labels == 2], axis=1))
    shapes = [np.load(units / "activations" / f"{layer}.npy").shape for layer in layers]
    assert shapes == [(4, 4, 8, 8, 8), (4, 8, 8, 8, 8)]


def test_without_layers_or_patches_there_are_no_units(
    extracted: Path, model: Path, tiny: PreparedDataset, extraction: Settings, tmp_path: Path
) -> None:
    assert not (extracted / "units").exists()
    extract(model, tiny, tmp_path, extraction(units_patches=0), units=("model.0",))
    assert not (tmp_path / "units").exists()


def test_tables_grow_by_a_row_group_per_case(extracted: Path, tiny: PreparedDataset) -> None:
    import pyarrow.parquet as pq

    for name in ("moments", "histograms", "calibration", "sample"):
        file = pq.ParquetFile(extracted / f"{name}.parquet")
        assert file.num_row_groups == len(tiny.table)
