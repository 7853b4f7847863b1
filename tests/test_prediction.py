from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from typer.testing import CliRunner

from rarelens import cli, prediction
from rarelens.cells import Cell
from rarelens.config.segmentation import ExtractSegmentation
from rarelens.data.prepared import PreparedDataset
from rarelens.errors import RarelensError
from rarelens.prediction import predict
from rarelens.training.segmentation.cell import train_cell
from rarelens.training.segmentation.job import Job

MODEL = Cell("segmentation", "tiny", "unet", "cross_entropy", "1", 0).folder("models")
PARAMETERS = """
extract:
  segmentation: {window_overlap: 0.25, window_batch: 2, bin_width: 0.0625, joint_bin_width: 0.5,
    calibration_bins: 15, sample_voxels: 20, panels: 1, units_patches: 0, full_logits: false,
    threads: 1, seed: 0}
"""


@pytest.fixture
def model(tiny_models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The trained two-channel model; a project folder with parameters as working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text(PARAMETERS)
    return tiny_models / MODEL


@pytest.fixture
def settings(extraction: Callable[..., ExtractSegmentation]) -> ExtractSegmentation:
    return extraction()


def labels(file: Path) -> np.ndarray:
    return np.asarray(nib.load(file).dataobj)


def split_channels(source: Path, folder: Path, case: str) -> None:
    """Write a 4-D image as one file per channel, as nnU-Net has it."""
    folder.mkdir(exist_ok=True)
    image = nib.load(source)
    data = np.asarray(image.dataobj)
    for channel in range(data.shape[3]):
        part = nib.Nifti1Image(data[..., channel], image.affine)
        nib.save(part, folder / f"{case}_{channel:04d}.nii.gz")


def command(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Run ``rarelens`` as the shell does; returns its exit status."""
    monkeypatch.setattr(sys, "argv", ["rarelens", *map(str, arguments)])
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    return int(exit_.value.code or 0)


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
    model: Path, settings: ExtractSegmentation, tiny_raw: Path, tmp_path: Path
) -> None:
    source = tiny_raw / "imagesTr/tiny_000.nii.gz"
    for case in ("a", "b"):
        split_channels(source, tmp_path / "split", case)
    one = predict(model, [source], tmp_path / "one", settings)
    parts = predict(model, [tmp_path / "split"], tmp_path / "parts", settings)
    assert [file.name for file in one] == ["tiny_000.nii.gz"]
    assert [file.name for file in parts] == ["a.nii.gz", "b.nii.gz"]
    for file in parts:
        np.testing.assert_array_equal(labels(file), labels(one[0]))
    assert labels(one[0]).any()


def test_channel_files_in_any_order(
    model: Path, settings: ExtractSegmentation, tiny_raw: Path, tmp_path: Path
) -> None:
    split_channels(tiny_raw / "imagesTr/tiny_000.nii.gz", tmp_path / "split", "a")
    files = sorted((tmp_path / "split").iterdir())
    first = predict(model, files, tmp_path / "first", settings)
    other = predict(model, files[::-1], tmp_path / "other", settings)
    np.testing.assert_array_equal(labels(first[0]), labels(other[0]))


def test_numbers_that_are_no_channels_stay_in_the_name(
    model: Path, settings: ExtractSegmentation, tiny_raw: Path, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    for name in ("pat_0007", "pat_0008"):
        shutil.copy(tiny_raw / "imagesTr/tiny_000.nii.gz", tmp_path / f"in/{name}.nii.gz")
    made = predict(model, [tmp_path / "in"], tmp_path / "out", settings)
    assert [file.name for file in made] == ["pat_0007.nii.gz", "pat_0008.nii.gz"]


def test_uncompressed_images_and_hidden_files(
    model: Path, settings: ExtractSegmentation, tiny_raw: Path, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    nib.save(nib.load(tiny_raw / "imagesTr/tiny_000.nii.gz"), tmp_path / "in/a.nii")
    (tmp_path / "in/.a.nii.gz").write_bytes(b"")
    (tmp_path / "in/notes.txt").write_text("")
    made = predict(model, [tmp_path / "in"], tmp_path / "out", settings)
    assert [file.name for file in made] == ["a.nii.gz"]


def wrong_channels(raw: Path, folder: Path) -> list[Path]:
    image = nib.load(raw / "imagesTr/tiny_000.nii.gz")
    file = folder / "one.nii.gz"
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj)[..., 0], image.affine), file)
    return [raw / "imagesTr/tiny_001.nii.gz", file]


def missing_channel(raw: Path, folder: Path) -> list[Path]:
    split_channels(raw / "imagesTr/tiny_000.nii.gz", folder / "split", "a")
    (folder / "split/a_0001.nii.gz").rename(folder / "split/a_0002.nii.gz")
    return [folder / "split"]


def no_nifti(raw: Path, folder: Path) -> list[Path]:
    (folder / "scan.dcm").write_bytes(b"1234")
    return [folder / "scan.dcm"]


def broken(raw: Path, folder: Path) -> list[Path]:
    (folder / "z.nii.gz").write_bytes(b"1234")
    return [raw / "imagesTr/tiny_000.nii.gz", folder / "z.nii.gz"]


def empty_folder(raw: Path, folder: Path) -> list[Path]:
    (folder / "empty").mkdir()
    return [folder / "empty"]


def missing(raw: Path, folder: Path) -> list[Path]:
    return [folder / "nowhere.nii.gz"]


def one_name_twice(raw: Path, folder: Path) -> list[Path]:
    (folder / "second").mkdir()
    shutil.copy(raw / "imagesTr/tiny_000.nii.gz", folder / "second")
    return [raw / "imagesTr/tiny_000.nii.gz", folder / "second"]


def channels_beside_a_whole_image(raw: Path, folder: Path) -> list[Path]:
    split_channels(raw / "imagesTr/tiny_000.nii.gz", folder / "a", "case")
    (folder / "b").mkdir()
    shutil.copy(raw / "imagesTr/tiny_000.nii.gz", folder / "b/case.nii.gz")
    return [folder / "a", folder / "b"]


@pytest.mark.parametrize(
    ("images", "sentence"),
    [
        (wrong_channels, "1 channels, but the model takes 2 (T1, T2); give those"),
        (missing_channel, "a_0002.nii.gz: channels are numbered _0000, _0001, … without a gap"),
        (no_nifti, "scan.dcm: no NIfTI file (.nii, .nii.gz) or folder of them"),
        (broken, "z.nii.gz: not readable as NIfTI"),
        (empty_folder, "empty: no NIfTI file (.nii, .nii.gz) in it"),
        (missing, "nowhere.nii.gz: no NIfTI file (.nii, .nii.gz) or folder of them"),
        (one_name_twice, "two images of one name"),
        (channels_beside_a_whole_image, "there is no other image case"),
    ],
)
def test_bad_images_are_one_sentence_and_nothing_is_written(
    model: Path,
    tiny_raw: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    images: Callable[[Path, Path], list[Path]],
    sentence: str,
) -> None:
    files = images(tiny_raw, tmp_path)
    assert command(monkeypatch, "predict", model, *files, "--output", "out") == 1
    said = capsys.readouterr().err.strip()
    assert said.startswith("error: ")
    assert sentence in said
    assert "\n" not in said
    assert not Path("out").exists()


def test_a_folder_without_model_is_refused(
    model: Path,
    tiny_raw: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    status = command(monkeypatch, "predict", "nowhere", tiny_raw / "imagesTr", "--output", "out")
    assert status == 1
    assert "error: nowhere: no model here (model.json is missing)" in capsys.readouterr().err
    assert not Path("out").exists()


def test_existing_label_maps_are_never_overwritten(
    model: Path,
    tiny_raw: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("out").mkdir()
    Path("out/tiny_003.nii.gz").write_text("mine")
    arguments = ("predict", model, tiny_raw / "imagesTr", "--output", "out")
    assert command(monkeypatch, *arguments) == 1
    assert "tiny_003.nii.gz: exists already" in capsys.readouterr().err
    assert [file.name for file in Path("out").iterdir()] == ["tiny_003.nii.gz"]
    assert Path("out/tiny_003.nii.gz").read_text() == "mine"


def test_a_label_map_is_written_whole_or_not_at_all(
    model: Path,
    settings: ExtractSegmentation,
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
            predict(model, [images], Path("out"), settings)
    made = sorted(Path("out").iterdir())
    assert [file.name for file in made] == ["tiny_000.nii.gz", "tiny_001.nii.gz"]
    # The name that a file was first written under leaves no trace in it.
    original(Path("plain.nii.gz"), labels(made[0]), nib.load(made[0]).affine)
    assert Path("plain.nii.gz").read_bytes() == made[0].read_bytes()


def test_a_broken_model_is_one_sentence(
    model: Path,
    tiny_raw: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    shutil.copytree(model, tmp_path / "model")
    (tmp_path / "model/weights.safetensors").write_bytes(b"1234")
    assert command(monkeypatch, "predict", tmp_path / "model", tiny_raw / "imagesTr") == 1
    said = capsys.readouterr().err.strip()
    assert said.startswith("error: ")
    assert "weights.safetensors: broken, or of another version (" in said
    assert "\n" not in said
    assert not Path("predictions").exists()


def test_sync_without_mlflow_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(Path(__file__).parents[1] / "params.yaml", tmp_path)
    (tmp_path / "no.db").write_bytes(b"this is no database and never was one" * 9)
    for address in ("http://127.0.0.1:9", f"sqlite:///{tmp_path}/no.db"):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
        assert command(monkeypatch, "sync") == 1
        said = capsys.readouterr().err
        assert "Traceback" not in said
        assert said.strip().splitlines()[-1].startswith("error: MLflow is not up to date (")
        assert "MLFLOW_TRACKING_URI is right, then run `rarelens sync` again" in said


def test_a_file_in_place_of_the_output_folder_is_refused(
    model: Path, settings: ExtractSegmentation, tiny_raw: Path
) -> None:
    Path("out").write_text("mine")
    with pytest.raises(RarelensError, match="out: a file stands here; name another --output"):
        predict(model, [tiny_raw / "imagesTr"], Path("out"), settings)


def test_without_parameters_it_says_where_to_run(
    model: Path,
    tiny_raw: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("params.yaml").unlink()
    assert command(monkeypatch, "predict", model, tiny_raw / "imagesTr") == 1
    assert "params.yaml: no such file; run from the project's root" in capsys.readouterr().err


def test_real_unlabelled_images(
    hippocampus: PreparedDataset,
    hippocampus_raw: Path,
    make_job: Callable[..., Job],
    settings: ExtractSegmentation,
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
    made = predict(job.cell.folder("models"), images, offline / "out", settings)
    assert [file.name for file in made] == [file.name for file in images]
    for file, image in zip(made, images, strict=True):
        assert nib.load(file).shape == nib.load(image).shape
        np.testing.assert_array_equal(nib.load(file).affine, nib.load(image).affine)
        assert set(np.unique(labels(file))) <= {0, 1, 2}
        truth = labels(hippocampus_raw / "labelsTr" / image.name) > 0
        assert (labels(file) > 0)[truth].mean() > 0.4
