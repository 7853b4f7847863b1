"""``rarelens predict``: what it writes."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from typer.testing import CliRunner

from rarelens.pipeline import cli
from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.models.prediction import predict
from rarelens.studies.models.segmentation import prediction
from rarelens.studies.training.segmentation.cell import train_cell
from rarelens.studies.training.segmentation.job import SegmentationJob
from studies.models.segmentation.images import labels, split_channels


def test_label_maps_lie_on_the_images_own_grid(model: Path, tiny_raw: Path) -> None:
    folder = tiny_raw / "imagesTr"
    result = CliRunner().invoke(cli.app, ["predict", str(model), str(folder), "--output", "out"])
    assert result.exit_code == 0, result.output
    made = sorted(Path("out").iterdir())
    assert [file.name for file in made] == sorted(file.name for file in folder.iterdir())
    assert result.output.split() == [str(file) for file in made]
    for file in made:
        image, own = nib.load(file), nib.load(folder / file.name)
        assert image.shape == own.shape[:3]
        np.testing.assert_array_equal(image.affine, own.affine)
        truth = labels(tiny_raw / "labelsTr" / file.name) > 0
        assert (labels(file) > 0)[truth].mean() > 0.2  # The structures are met, not mirrored.


def test_channel_files_and_4d_files_give_the_same(
    model: Path, tiny_raw: Path, tmp_path: Path
) -> None:
    source = tiny_raw / "imagesTr/tiny_000.nii.gz"
    for case in ("a", "b"):
        split_channels(source, tmp_path / "split", case)
    one = predict(model, [source], tmp_path / "one")
    parts = predict(model, [tmp_path / "split"], tmp_path / "parts")
    assert [file.name for file in one] == ["tiny_000.nii.gz"]
    assert [file.name for file in parts] == ["a.nii.gz", "b.nii.gz"]
    for file in parts:
        np.testing.assert_array_equal(labels(file), labels(one[0]))
    assert labels(one[0]).any()


def test_channel_files_in_any_order(model: Path, tiny_raw: Path, tmp_path: Path) -> None:
    split_channels(tiny_raw / "imagesTr/tiny_000.nii.gz", tmp_path / "split", "a")
    files = sorted((tmp_path / "split").iterdir())
    first = predict(model, files, tmp_path / "first")
    other = predict(model, files[::-1], tmp_path / "other")
    np.testing.assert_array_equal(labels(first[0]), labels(other[0]))


def test_numbers_that_are_no_channels_stay_in_the_name(
    model: Path, tiny_raw: Path, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    for name in ("pat_0007", "pat_0008"):
        shutil.copy(tiny_raw / "imagesTr/tiny_000.nii.gz", tmp_path / f"in/{name}.nii.gz")
    made = predict(model, [tmp_path / "in"], tmp_path / "out")
    assert [file.name for file in made] == ["pat_0007.nii.gz", "pat_0008.nii.gz"]


def test_uncompressed_images_and_hidden_files(model: Path, tiny_raw: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    nib.save(nib.load(tiny_raw / "imagesTr/tiny_000.nii.gz"), tmp_path / "in/a.nii")
    (tmp_path / "in/.a.nii.gz").write_bytes(b"")
    (tmp_path / "in/notes.txt").write_text("")
    made = predict(model, [tmp_path / "in"], tmp_path / "out")
    assert [file.name for file in made] == ["a.nii.gz"]


def test_a_label_map_is_written_whole_or_not_at_all(
    model: Path,
    tiny_raw: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original, images = prediction.save_labels, tiny_raw / "imagesTr"

    def stop_at_the_third(file: Path, *arguments: Any) -> None:
        original(file, *arguments)
        if "tiny_002" in file.name:
            file.write_bytes(file.read_bytes()[:100])
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(prediction, "save_labels", stop_at_the_third)
        with pytest.raises(KeyboardInterrupt):
            predict(model, [images], Path("out"))
    made = sorted(Path("out").iterdir())
    assert [file.name for file in made] == ["tiny_000.nii.gz", "tiny_001.nii.gz"]
    # The name that a file was first written under leaves no trace in it.
    original(Path("plain.nii.gz"), labels(made[0]), nib.load(made[0]).affine)
    assert Path("plain.nii.gz").read_bytes() == made[0].read_bytes()


def test_real_unlabelled_images(
    hippocampus: PreparedDataset,
    hippocampus_raw: Path,
    make_job: Callable[..., SegmentationJob],
    offline: Path,
) -> None:
    job = make_job(
        dataset="hippocampus",
        patch_size=(24, 32, 24),
        network={"network": "unet", "channels": [8, 16]},
        steps=200,
        epoch_steps=100,
    )
    train_cell(job, hippocampus)
    images = sorted((hippocampus_raw / "imagesTr").iterdir())[:3]
    made = predict(job.cell.folder("models"), images, offline / "out")
    assert [file.name for file in made] == [file.name for file in images]
    for file, image in zip(made, images, strict=True):
        assert nib.load(file).shape == nib.load(image).shape
        np.testing.assert_array_equal(nib.load(file).affine, nib.load(image).affine)
        assert set(np.unique(labels(file))) <= {0, 1, 2}
        truth = labels(hippocampus_raw / "labelsTr" / image.name) > 0
        assert (labels(file) > 0)[truth].mean() > 0.4
