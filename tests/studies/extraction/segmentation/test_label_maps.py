"""Label maps lie on the grids of the original images."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.data.segmentation.preprocessing import prepare_dataset
from rarelens.studies.extraction.segmentation.extract import extract
from rarelens.studies.models.segmentation.model import SegmenterCard
from rarelens.studies.models.storage import read_card
from rarelens.studies.settings.segmentation.datasets import Preprocess, Split
from rarelens.studies.settings.segmentation.stages import ExtractSegmentation
from rarelens.studies.training.segmentation.cell import train_cell
from rarelens.studies.training.segmentation.job import SegmentationJob

Settings = Callable[..., ExtractSegmentation]


def check_grids(folder: Path, raw: Path, cases: list[str]) -> None:
    """Each label map lies on the very grid of the case's own label."""
    for case in cases:
        made = nib.load(folder / "predictions" / f"{case}.nii.gz")
        own = nib.load(raw / "labelsTr" / f"{case}.nii.gz")
        assert made.shape == own.shape
        np.testing.assert_array_equal(made.affine, own.affine)
        np.testing.assert_array_equal(made.get_qform(), own.get_qform())
        assert made.get_data_dtype() == np.uint8


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return 2 * float((one & other).sum()) / float(one.sum() + other.sum())


def test_label_maps_lie_on_the_original_grid(
    extracted: Path, tiny: PreparedDataset, tiny_raw: Path
) -> None:
    check_grids(extracted, tiny_raw, list(tiny.table.index))


def test_label_maps_are_where_the_truth_is(extracted: Path, tiny_raw: Path, model: Path) -> None:
    """The network has learnt a little; a flipped or shifted map would meet no structure."""
    for case in read_card(model, SegmenterCard).training_cases:
        made = np.asarray(nib.load(extracted / f"predictions/{case}.nii.gz").dataobj)
        own = np.asarray(nib.load(tiny_raw / f"labelsTr/{case}.nii.gz").dataobj)
        assert dice(made > 0, own > 0) > 0.5


def train_and_extract(
    job: SegmentationJob, data: PreparedDataset, folder: Path, settings: ExtractSegmentation
) -> Path:
    train_cell(job, data)
    target = folder / "extract"
    target.mkdir()
    extract(job.cell.folder("models"), data, target, settings)
    return target


@pytest.mark.usefixtures("offline")
def test_cropped_and_resampled_cases_come_back_to_their_own_grid(
    tiny_raw: Path, make_job: Callable[..., SegmentationJob], extraction: Settings, tmp_path: Path
) -> None:
    settings = make_job().preprocess.model_dump()
    settings |= {"spacing": (1.5, 1.5, 1.5), "crop_foreground": True, "dtype": "float32"}
    raw = tmp_path / "raw"
    shutil.copytree(tiny_raw, raw)
    for file in (raw / "imagesTr").iterdir():  # Only with a border is there something to crop.
        image = nib.load(file)
        data = np.array(image.dataobj)
        data[:2], data[:, -1:] = 0, 0
        nib.save(nib.Nifti1Image(data, image.affine), file)
    (tmp_path / "tiny").mkdir()
    split = Split(seed=0, test=2, validation=1, pool=4, file=None, group=None)
    prepared = Preprocess(**settings)
    prepare_dataset("tiny", "msd", raw, tmp_path / "tiny", prepared, split)
    data = PreparedDataset(tmp_path / "tiny")
    assert tuple(data.table["shape"].iloc[0]) != tuple(data.table["source_shape"].iloc[0])
    job = make_job(preprocess=prepared, steps=40, epoch_steps=20)
    folder = train_and_extract(job, data, tmp_path, extraction())
    check_grids(folder, raw, list(data.table.index))
    for case in job.training_cases(data):
        made = np.asarray(nib.load(folder / f"predictions/{case}.nii.gz").dataobj)
        own = np.asarray(nib.load(raw / f"labelsTr/{case}.nii.gz").dataobj)
        assert dice(made > 0, own > 0) > 0.4
        assert not made[0].any()


@pytest.mark.usefixtures("offline")
def test_real_cases_end_to_end(
    hippocampus: PreparedDataset,
    hippocampus_raw: Path,
    make_job: Callable[..., SegmentationJob],
    extraction: Settings,
    tmp_path: Path,
) -> None:
    job = make_job(
        dataset="hippocampus",
        patch_size=(24, 32, 24),
        network={"network": "unet", "channels": [8, 16]},
        steps=200,
        epoch_steps=100,
    )
    folder = train_and_extract(job, hippocampus, tmp_path, extraction(full_logits=False))
    check_grids(folder, hippocampus_raw, list(hippocampus.table.index))
    for case in job.training_cases(hippocampus):
        made = np.asarray(nib.load(folder / f"predictions/{case}.nii.gz").dataobj)
        own = np.asarray(nib.load(hippocampus_raw / f"labelsTr/{case}.nii.gz").dataobj)
        assert dice(made > 0, own > 0) > 0.5
