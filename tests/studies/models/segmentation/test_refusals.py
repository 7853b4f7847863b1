"""``rarelens predict``: what it refuses, in one sentence."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from rarelens.errors import RarelensError
from rarelens.studies.models.prediction import predict
from rarelens.studies.models.segmentation import segmenter
from rarelens.studies.models.segmentation.segmenter import Segmenter
from shell import command
from studies.models.segmentation.images import labels, split_channels


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
        (missing_channel, "a_0002.nii.gz: channels are numbered _0000, _0001, … without a gap"),
        (no_nifti, "scan.dcm: no NIfTI file (.nii, .nii.gz) or folder of them"),
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


@pytest.mark.parametrize(
    ("images", "good", "sentence"),
    [
        (wrong_channels, "tiny_001", "one.nii.gz): 1 channels, but the model takes 2 (T1, T2)"),
        (broken, "tiny_000", "z.nii.gz: not readable as NIfTI"),
    ],
)
def test_a_bad_image_is_told_at_the_end_and_stops_no_other(
    model: Path,
    tiny_raw: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    images: Callable[[Path, Path], list[Path]],
    good: str,
    sentence: str,
) -> None:
    files = images(tiny_raw, tmp_path)[::-1]  # The bad one first.
    assert command(monkeypatch, "predict", model, *files, "--output", "out") == 1
    said = capsys.readouterr()
    assert [file.name for file in Path("out").iterdir()] == [f"{good}.nii.gz"]
    assert said.out.split() == [f"out/{good}.nii.gz"]
    assert said.err.startswith("error: ")
    assert sentence in said.err
    assert said.err.count("\n") == 1


def test_an_image_that_does_not_fit_into_memory_stops_no_other(
    model: Path, tiny_raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, calls = Segmenter.logits, []

    def logits(self: Segmenter, prepared: np.ndarray) -> np.ndarray:
        calls.append(prepared.shape)
        if len(calls) == 2:
            raise RuntimeError("CUDA out of\nmemory")
        return original(self, prepared)

    monkeypatch.setattr(Segmenter, "logits", logits)
    with pytest.raises(RarelensError, match="tiny_001: not predicted: CUDA out of memory") as error:
        predict(model, tiny_raw / "imagesTr")
    assert len(error.value.problems) == 1
    assert len(list(Path("predictions").iterdir())) == 6


def test_logits_that_are_not_finite_are_no_label_map(
    model: Path, tiny_raw: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Finite weights suffice for it: huge ones overflow after the first layer.
    load = segmenter.load_segmenter

    def huge(folder: Path) -> object:
        network, card = load(folder)
        for parameter in network.parameters():
            parameter.data.fill_(1e38)
        return network, card

    monkeypatch.setattr(segmenter, "load_segmenter", huge)
    with pytest.raises(RarelensError, match=r"tiny_001 .*: the model's logits are not all finite"):
        predict(model, tiny_raw / "imagesTr")
    assert not list(Path().rglob("predictions/*"))


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


def test_existing_label_maps_are_overwritten_on_request_only(
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
    capsys.readouterr()
    assert command(monkeypatch, *arguments, "--overwrite") == 0
    assert len(capsys.readouterr().out.split()) == len(list(Path("out").iterdir())) == 7
    assert labels(Path("out/tiny_003.nii.gz")).ndim == 3


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


def test_a_file_in_place_of_the_output_folder_is_refused(model: Path, tiny_raw: Path) -> None:
    Path("out").write_text("mine")
    with pytest.raises(RarelensError, match="out: a file stands here; name another --output"):
        predict(model, [tiny_raw / "imagesTr"], Path("out"))
