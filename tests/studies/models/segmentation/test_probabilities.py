"""Probabilities: in files beside the label maps, and as arrays."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from rarelens.errors import RarelensError
from rarelens.pipeline.parameters.whole import read_parameters
from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.models.prediction import load_model, predict
from rarelens.studies.models.segmentation import segmenter
from rarelens.studies.models.segmentation.inference import dense_logits
from rarelens.studies.models.segmentation.model import OVERLAP, WINDOW_BATCH
from rarelens.studies.training.segmentation.cell import train_cell
from rarelens.studies.training.segmentation.job import SegmentationJob
from shell import command
from studies.models.segmentation.images import labels


def check(file: Path, label_map: Path, classes: int) -> None:
    """Of a file of probabilities: its grid, its sums, and that the label map has the largest."""
    image, own = nib.load(file), nib.load(label_map)
    assert image.shape == (*own.shape, classes)
    np.testing.assert_array_equal(image.affine, own.affine)
    values = np.asarray(image.dataobj)
    assert values.dtype == np.float32
    np.testing.assert_allclose(values.sum(-1), 1, atol=1e-6)
    chosen = np.take_along_axis(values, labels(label_map)[..., None].astype(int), -1)[..., 0]
    np.testing.assert_array_equal(chosen, values.max(-1))


def test_probabilities_lie_beside_the_label_maps(
    model: Path, tiny_raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("predict", model, tiny_raw / "imagesTr/tiny_000.nii.gz", "--output", "out")
    assert command(monkeypatch, *arguments, "--probabilities") == 0
    check(Path("out/probabilities/tiny_000.nii.gz"), Path("out/tiny_000.nii.gz"), 3)
    plain = predict(model, tiny_raw / "imagesTr/tiny_000.nii.gz", "plain")
    np.testing.assert_array_equal(labels(Path("out/tiny_000.nii.gz")), labels(plain[0]))


def test_on_the_own_grid_of_a_resampled_and_cropped_image(
    tiny: PreparedDataset, make_job: Callable[..., SegmentationJob], offline: Path
) -> None:
    job = make_job()
    fields = {"spacing": (1.5, 1.5, 1.5), "crop_foreground": True}
    train_cell(make_job(preprocess=job.preprocess.model_copy(update=fields)), tiny)
    image = np.random.default_rng(0).normal(10, 1, (14, 12, 10, 2)).astype(np.float32)
    image[:3] = 0
    affine = np.array([[0, -2.0, 0, 5], [0, 0, 1.0, 2], [-1.5, 0, 0, 9], [0, 0, 0, 1]])
    nib.save(nib.Nifti1Image(image, affine), "a.nii.gz")
    made = predict(job.cell.folder("models"), "a.nii.gz", "out", probabilities=True)
    assert made == [Path("out/a.nii.gz"), Path("out/probabilities/a.nii.gz")]
    check(made[1], made[0], 3)
    values = np.asarray(nib.load(made[1]).dataobj)
    assert (values[:2, ..., 0] == 1).all()  # The crop left it out.
    assert (values[4:, ..., 0] < 1).all()


def test_arrays_without_files(model: Path, tiny_raw: Path) -> None:
    file = tiny_raw / "imagesTr/tiny_000.nii.gz"
    made = predict(str(model), str(file), "out", probabilities=True)
    scan = nib.load(file)
    image = np.moveaxis(scan.get_fdata(dtype=np.float32), 3, 0)
    loaded = load_model(model)
    probabilities = loaded.probabilities(image, scan.affine)
    assert probabilities.shape == (3, *scan.shape[:3])
    np.testing.assert_array_equal(
        np.moveaxis(probabilities, 0, 3), np.asarray(nib.load(made[1]).dataobj)
    )
    np.testing.assert_array_equal(loaded.labels(image, scan.affine), labels(made[0]))
    with pytest.raises(RarelensError, match="1 channels, but the model takes 2"):
        loaded.labels(image[:1], scan.affine)


def test_windows_are_as_the_options_say(
    model: Path, tiny_raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def dense(*arguments: Any) -> np.ndarray:
        seen.append(arguments[2:])
        return dense_logits(*arguments)

    monkeypatch.setattr(segmenter, "dense_logits", dense)
    file = tiny_raw / "imagesTr/tiny_000.nii.gz"
    assert command(monkeypatch, "predict", model, file, "--output", "a") == 0
    options = ("--overlap", "0.5", "--window-batch", "1")
    assert command(monkeypatch, "predict", model, file, "--output", "b", *options) == 0
    # By default, those of the command, of the library and of the embedded study are the same.
    assert seen == [((16, 16, 16), OVERLAP, WINDOW_BATCH), ((16, 16, 16), 0.5, 1)]
    study = read_parameters(Path(__file__).parents[4] / "params.yaml").extract.segmentation
    assert (study.window_overlap, study.window_batch) == (OVERLAP, WINDOW_BATCH)
