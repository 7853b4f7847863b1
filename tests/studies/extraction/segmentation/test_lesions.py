"""The lesions of an extract against label maps, references and full logits."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.data.segmentation.preprocessing import prepare_dataset
from rarelens.studies.extraction.segmentation.extract import extract
from rarelens.studies.extraction.segmentation.lesions import lesion_tables
from rarelens.studies.settings.segmentation.datasets import Split
from rarelens.studies.settings.segmentation.stages import ExtractSegmentation
from rarelens.studies.training.segmentation.cell import train_cell
from rarelens.studies.training.segmentation.job import SegmentationJob

ROWS = ["case", "side", "class", "lesion", "voxels", "volume", "detected", "iou", "dice", "margin"]
COUNTS = ["case", "side", "class", "lesions", "detected", "predicted", "false_alarms"]
KINDS = ["int64", "int64", "int64", "float64", "bool", "float64", "float64", "float64"]
Settings = Callable[..., ExtractSegmentation]


def check_lesions(extracted: Path, raw: Path, classes: int) -> pd.DataFrame:
    """Each case of both sides, lesion by lesion, on the canonical axes of the full logits."""
    found = pd.read_parquet(extracted / "lesions.parquet")
    counts = pd.read_parquet(extracted / "lesion_counts.parquet")
    assert (list(found), list(counts)) == (ROWS, COUNTS)
    assert list(map(str, found.dtypes[2:])) == KINDS
    cases = pd.read_parquet(extracted / "cases.parquet").query("side != 'validation'")
    expected = [
        (case, side, label)
        for case, side in cases.itertuples(index=False)
        for label in range(1, classes)
    ]
    assert list(counts[COUNTS[:3]].itertuples(index=False, name=None)) == expected
    for case, side, label in expected:
        truth = nib.load(raw / "labelsTr" / f"{case}.nii.gz")
        own, number = ndimage.label(np.asarray(truth.dataobj) == label, np.ones((3, 3, 3)))
        said = np.asarray(nib.load(extracted / f"predictions/{case}.nii.gz").dataobj) == label
        parts, several = ndimage.label(said, np.ones((3, 3, 3)))
        rows = found[(found["case"] == case) & (found["class"] == label)]
        assert rows["lesion"].tolist() == list(range(1, number + 1))
        assert set(rows["side"]) <= {side}
        with h5py.File(extracted / "logits" / f"{case}.h5") as file:
            logits = file["logits"][()].astype(np.float64)
        margins = logits[label] - np.delete(logits, label, axis=0).max(0)
        turned = np.asarray(nib.as_closest_canonical(nib.Nifti1Image(own, truth.affine)).dataobj)
        for row in rows.itertuples():
            here = own == row.lesion
            whole = np.isin(parts, np.setdiff1d(parts[here], 0))
            assert row.voxels == here.sum()
            assert row.volume == pytest.approx(
                here.sum() * abs(np.linalg.det(truth.affine[:3, :3]))
            )
            assert row.detected == (here & said).any()
            assert row.iou == pytest.approx((here & whole).sum() / (here | whole).sum())
            assert row.dice == pytest.approx(2 * (here & whole).sum() / (here.sum() + whole.sum()))
            assert row.margin == pytest.approx(margins[turned == row.lesion].mean(), abs=0.01)
        one = counts[(counts["case"] == case) & (counts["class"] == label)].iloc[0]
        true_parts = len(np.setdiff1d(parts[own > 0], 0))
        assert one[COUNTS[3:]].tolist() == [
            number,
            rows["detected"].sum(),
            several,
            several - true_parts,
        ]
    return found


def test_lesions_of_both_sides(extracted: Path, tiny_raw: Path) -> None:
    """Hand-made cases off the canonical axes, two classes that cut each other into pieces."""
    found = check_lesions(extracted, tiny_raw, classes=3)
    assert set(found["side"]) == {"train", "test"}
    assert found["detected"].any()


@pytest.mark.usefixtures("offline")
def test_lesions_of_a_resampled_case_are_those_of_its_own_grid(
    tiny_raw: Path, make_job: Callable[..., SegmentationJob], extraction: Settings, tmp_path: Path
) -> None:
    """A lesion of one voxel, which the prepared grid loses, has its row and its margin."""
    raw = tmp_path / "raw"
    shutil.copytree(tiny_raw, raw)
    for file in (raw / "labelsTr").iterdir():
        label = nib.load(file)
        labels = np.array(label.dataobj)
        labels[-1, -1, -1] = 1
        nib.save(nib.Nifti1Image(labels, label.affine), file)
    settings = make_job().preprocess.model_copy(update={"spacing": (3.0, 3.0, 3.0)})
    (tmp_path / "tiny").mkdir()
    split = Split(seed=0, test=2, validation=1, pool=4, file=None, group=None)
    prepare_dataset("tiny", "msd", raw, tmp_path / "tiny", settings, split)
    data = PreparedDataset(tmp_path / "tiny")
    job = make_job(preprocess=settings, patch_size=(8, 8, 8), network={
        "network": "unet", "channels": [4, 8],
    })  # fmt: skip
    train_cell(job, data)
    (tmp_path / "extract").mkdir()
    extract(job.cell.folder("models"), data, tmp_path / "extract", extraction(panels=0))
    found = pd.read_parquet(tmp_path / "extract" / "lesions.parquet")
    single = found[found["voxels"] == 1]
    assert len(single) == 6
    np.testing.assert_allclose(single["volume"], 3.0)
    # One voxel is found if and only if its margin is above 0: of the logits that decided it.
    assert (single["detected"] == (single["margin"] > 0)).all()
    assert found["margin"].notna().all()


def test_without_lesions_the_tables_keep_their_types() -> None:
    nothing = np.zeros((4, 4, 4), np.uint8)
    rows, counts = lesion_tables(nothing, nothing, np.zeros((3, 0), np.float32), (1.0, 1.0, 1.0))
    assert list(map(str, rows.dtypes)) == KINDS
    assert rows.empty
    assert counts["class"].tolist() == [1, 2]


@pytest.mark.usefixtures("offline")
def test_real_tumours_end_to_end(
    real_data: Path,
    make_job: Callable[..., SegmentationJob],
    extraction: Settings,
    tmp_path: Path,
) -> None:
    source, raw = real_data / "lgg_mri", tmp_path / "raw"
    if not source.is_dir():
        pytest.skip("no lgg_mri in the folder of real data")
    described = json.loads((source / "dataset.json").read_text())
    described["training"] = described["training"][:6]
    for kind, key in (("imagesTr", "image"), ("labelsTr", "label")):
        (raw / kind).mkdir(parents=True)
        for entry in described["training"]:
            name = Path(entry[key]).name
            (raw / kind / name).symlink_to(source / kind / name)
    (raw / "dataset.json").write_text(json.dumps(described))
    (tmp_path / "lgg_mri").mkdir()
    split = Split(seed=0, test=2, validation=1, pool=3, file=None, group=None)
    job = make_job(
        dataset="lgg_mri",
        patch_size=(32, 32, 8),
        network={"network": "unet", "channels": [8, 16]},
        steps=100,
        epoch_steps=50,
    )
    prepare_dataset("lgg_mri", "msd", raw, tmp_path / "lgg_mri", job.preprocess, split)
    data = PreparedDataset(tmp_path / "lgg_mri")
    train_cell(job, data)
    for name in ("extract", "again"):
        (tmp_path / name).mkdir()
        extract(job.cell.folder("models"), data, tmp_path / name, extraction(panels=0))
    found = check_lesions(tmp_path / "extract", raw, classes=2)
    assert set(found["side"]) == {"train", "test"}
    assert found["detected"].any()
    for name in ("lesions.parquet", "lesion_counts.parquet"):
        assert (tmp_path / "extract" / name).read_bytes() == (
            tmp_path / "again" / name
        ).read_bytes()
