"""The same predictions in every format are the same diagnosis; offsets are applied to files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import nibabel as nib
import numpy as np
import pytest

from rarelens.errors import RarelensError
from rarelens.studies.diagnosis.apply import apply_offsets
from rarelens.studies.diagnosis.command import diagnose
from rarelens.studies.diagnosis.files import find_files
from shell import command

SHAPE = (10, 8, 6)
AFFINE = np.diag([1, 1.5, 2, 1.0])
CLASSES = ["background", "organ", "lesion"]


def save(file: Path, array: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(array, AFFINE), file)


def truth(number: int) -> np.ndarray:
    labels = np.zeros(SHAPE, np.uint8)
    labels[1:5, 1:5, 1:4] = 1
    labels[6 : 8 + number % 2, 4:7, 2:5] = 2
    return labels


def logits(number: int, less: float = 3.0) -> np.ndarray:
    """(3, X, Y, Z); the lesion's are ``less`` lower than they should be: a wrong boundary."""
    rng = np.random.default_rng(number)
    z = rng.normal(0, 1, (3, *SHAPE)).astype(np.float32)
    for c in range(3):
        z[c][truth(number) == c] += 5
    z[2] -= less
    return z


def softmax(z: np.ndarray) -> np.ndarray:
    odds = np.exp(z - z.max(0))
    return odds / odds.sum(0)


def npz(folder: Path, case: str, z: np.ndarray) -> None:
    np.savez(folder / f"{case}.npz", probabilities=softmax(z).transpose(0, 3, 2, 1))


def npy(folder: Path, case: str, z: np.ndarray) -> None:
    np.save(folder / f"{case}.npy", z)


def last(folder: Path, case: str, z: np.ndarray) -> None:
    np.save(folder / f"{case}.npy", np.moveaxis(z, 0, -1))


def hdf5(folder: Path, case: str, z: np.ndarray) -> None:
    with h5py.File(folder / f"{case}.h5", "w") as file:
        file["softmax"] = softmax(z).astype(np.float64)


def four(folder: Path, case: str, z: np.ndarray) -> None:
    save(folder / f"{case}.nii.gz", np.moveaxis(z, 0, -1))


def each(folder: Path, case: str, z: np.ndarray) -> None:
    for channel, own in enumerate(softmax(z)):
        save(folder / f"{case}_{channel:04d}.nii.gz", own)


def maps(folder: Path, case: str, z: np.ndarray) -> None:
    save(folder / f"{case}.nii.gz", z.argmax(0).astype(np.uint8))


Write = Callable[[Path, str, np.ndarray], None]


def written(folder: Path, write: Write) -> dict[str, Any]:
    """Five training and six unseen cases in a format, and their diagnosis."""
    for number in range(11):
        side = folder / ("test" if number > 4 else "train")
        side.mkdir(parents=True, exist_ok=True)
        write(side, f"case_{number:02d}", logits(number))
        save(folder / f"labels/case_{number:02d}.nii.gz", truth(number))
    found = find_files(folder / "test", folder / "labels", folder / "train", CLASSES)
    list(diagnose(found, None, folder / "diagnosis", 1))
    result: dict[str, Any] = json.loads((folder / "diagnosis/diagnosis.json").read_text())
    return result


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return written(tmp_path_factory.mktemp("npy"), npy)


@pytest.mark.parametrize("write", [npz, last, hdf5, four, each])
def test_every_format_gives_the_same_numbers(
    tmp_path: Path, expected: dict[str, Any], write: Write
) -> None:
    found = written(tmp_path, write)
    for row, own in zip(expected["classes"], found["classes"], strict=True):
        for part in ("train", "unseen", "shift", "offset"):
            for name, value in row[part].items():
                wanted = value if value is None else pytest.approx(value, rel=1e-3, abs=1e-4)
                assert own[part][name] == wanted, (part, name)
        assert own["finding"] == row["finding"]


def test_label_maps_alone_have_the_same_overlap_and_no_margins(
    tmp_path: Path, expected: dict[str, Any]
) -> None:
    found = written(tmp_path, maps)
    for row, own in zip(expected["classes"], found["classes"], strict=True):
        for name in ("dice", "sensitivity", "precision", "lesions_detected", "missed"):
            if name in row["unseen"]:
                assert own["unseen"][name] == pytest.approx(row["unseen"][name])
        assert own["unseen"]["margin_mean"] is None
        assert own["shift"]["difference"] is None
    assert found["classes"][2]["finding"] == "label maps alone"
    assert "Label maps alone" in found["notes"][0]


def test_a_wrong_boundary_is_found_and_moved(tmp_path: Path) -> None:
    lesion = written(tmp_path, npz)["classes"][2]
    assert lesion["finding"] == "prior mismatch"
    assert "diagnose apply" in lesion["advice"][0]["try"]
    assert 1 <= lesion["offset"]["value"] <= 3
    for number in range(5, 11):
        save(tmp_path / f"test/case_{number:02d}.nii.gz", logits(number).argmax(0).astype(np.uint8))
    said = apply_offsets(tmp_path / "diagnosis", tmp_path / "test", tmp_path / "maps")
    assert said == {"lesion": lesion["offset"]["value"]}
    for number in range(5, 11):
        image = nib.load(tmp_path / f"maps/case_{number:02d}.nii.gz")
        np.testing.assert_array_equal(image.affine, AFFINE)
        z = logits(number)
        z[2] += lesion["offset"]["value"]
        np.testing.assert_array_equal(np.asarray(image.dataobj), z.argmax(0))
    with pytest.raises(RarelensError, match=r"case_05.nii.gz: exists already"):
        apply_offsets(tmp_path / "diagnosis", tmp_path / "test", tmp_path / "maps")


def test_no_offset_is_applied_that_gains_nothing(tmp_path: Path, expected: dict[str, Any]) -> None:
    rows = [row | {"offset": row["offset"] | {"low": -0.1}} for row in expected["classes"]]
    (tmp_path / "diagnosis.json").write_text(json.dumps(expected | {"classes": rows}))
    (tmp_path / "test").mkdir()
    npy(tmp_path / "test", "a", logits(0))
    with pytest.raises(RarelensError, match="no offset gained anything"):
        apply_offsets(tmp_path, tmp_path / "test", tmp_path / "maps")
    with pytest.raises(RarelensError, match="a: no label map beside its scores"):
        apply_offsets(tmp_path, tmp_path / "test", tmp_path / "maps", ["lesion"])
    save(tmp_path / "images/a_0000.nii.gz", truth(0))
    apply_offsets(tmp_path, tmp_path / "test", tmp_path / "maps", ["lesion"], tmp_path / "images")
    z = logits(0)
    z[2] += rows[2]["offset"]["value"]
    found = np.asarray(nib.load(tmp_path / "maps/a.nii.gz").dataobj)
    np.testing.assert_array_equal(found, z.argmax(0))


def cube(folder: Path, **more: Any) -> Any:
    """A case whose shape fits both ways."""
    z = np.random.default_rng(0).normal(0, 1, (3, 6, 6, 6)).astype(np.float32)
    (folder / "test").mkdir(exist_ok=True)
    np.save(folder / "test/a.npy", z)
    save(folder / "labels/a.nii.gz", np.zeros((6, 6, 6), np.uint8))
    return find_files(folder / "test", folder / "labels", classes=CLASSES, **more)


def test_a_cube_without_a_label_map_beside_it_needs_axes(tmp_path: Path) -> None:
    with pytest.raises(RarelensError, match=r"a.npy: shape \(3, 6, 6, 6\) fits .* both ways"):
        list(diagnose(cube(tmp_path), None, tmp_path / "out", 1))
    list(diagnose(cube(tmp_path, axes="zyx"), None, tmp_path / "out", 1))
    with pytest.raises(RarelensError, match="--axes yxz"):
        cube(tmp_path, axes="yxz")


def spoil_both_sides(folder: Path) -> dict[str, Any]:
    npy(folder / "train", "case_05", logits(5))
    return {"train": folder / "train"}


def moved(folder: Path) -> dict[str, Any]:
    """Scores on the grid of a flipped axis."""
    four(folder / "test", "case_09", logits(9))
    (folder / "test/case_09.npy").unlink()
    image = nib.load(folder / "test/case_09.nii.gz")
    flipped = nib.Nifti1Image(np.asarray(image.dataobj), AFFINE @ np.diag([-1, 1, 1, 1]))
    nib.save(flipped, folder / "test/case_09.nii.gz")
    return {}


BAD: dict[str, Callable[[Path], dict[str, Any]]] = {
    "case_05: a prediction in .*; a case is trained on or unseen": spoil_both_sides,
    "case_06: no label map": lambda folder: (folder / "labels/case_06.nii.gz").unlink() or {},
    "nowhere: no such folder": lambda folder: {"test": folder / "nowhere"},
    "labels: there is no dataset.json that names the classes": lambda _: {"classes": ()},
    "case_07: a label map alone, beside cases with scores": lambda folder: (
        (folder / "test/case_07.npy").unlink() or maps(folder / "test", "case_07", logits(7)) or {}
    ),
    "is of the same case": lambda folder: npz(folder / "test", "case_08", logits(8)) or {},
    r"case_09.nii.gz: affine differs by up to 18 mm .* from that of the labels": moved,
    "finds no patient in this name": lambda _: {"patients": "^(p.*)$"},
    "give a regular expression with one bracket": lambda _: {"patients": "case"},
    r"case_05.npy: scores of shape \(3, 10, 8, 6\) for 2 channels": (
        lambda _: {"classes": ("a", "b")}
    ),
}


@pytest.mark.parametrize("sentence", BAD)
def test_bad_input_is_told_in_a_sentence(tmp_path: Path, sentence: str) -> None:
    written(tmp_path, npy)
    change = BAD[sentence](tmp_path)
    given: dict[str, Any] = {
        "test": tmp_path / "test", "labels": tmp_path / "labels", "classes": CLASSES
    } | change  # fmt: skip
    with pytest.raises(RarelensError, match=sentence):
        list(diagnose(find_files(**given), None, tmp_path / "out", 1))
    assert not (tmp_path / "out").exists()


def test_label_maps_without_a_prediction_are_named(tmp_path: Path) -> None:
    written(tmp_path, npy)
    for number in range(11, 18):
        save(tmp_path / f"labels/case_{number}.nii.gz", truth(number))
    sides = [tmp_path / name for name in ("test", "labels", "train")]
    assert find_files(*sides, CLASSES).notes == [
        "Label maps without a prediction are left out: case_11, case_12, case_13, case_14, case_15 "
        "and 2 more"
    ]


def test_patients_are_read_from_names(tmp_path: Path) -> None:
    written(tmp_path, npy)
    found = find_files(tmp_path / "test", tmp_path / "labels", None, CLASSES, patients=r"_(\d)")
    assert {source.patient for source in found.sources} == {"0", "1"}


def test_the_command_says_what_is_wrong_and_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written(tmp_path, npy)
    given = ["--test", tmp_path / "test", "--labels", tmp_path / "labels"]
    more = ["--classes", ",".join(CLASSES), "--output", tmp_path / "out"]
    assert command(monkeypatch, "diagnose", "files", *given, *more, "--rare", "tumour") == 1
    assert "--rare: 'tumour' is no foreground class; choose from organ, lesion" in (
        capsys.readouterr().err
    )
    assert command(monkeypatch, "diagnose", "files", *given, *more, "--rare", "lesion") == 0
    said = capsys.readouterr().out
    assert "lesion (rare): prior mismatch." in said
    assert "The training side is missing" in said
