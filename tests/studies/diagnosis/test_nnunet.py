"""A real run of nnU-Net against an independent script, and what its folders can be like."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from scipy.stats import ttest_ind

from folders import digests
from rarelens.errors import RarelensError
from rarelens.studies.diagnosis.command import diagnose
from rarelens.studies.diagnosis.nnunet import Fold, find_cases
from rarelens.studies.diagnosis.reading import read_cases

RUN = "Dataset904_Hippocampus/nnUNetTrainerTiny__nnUNetPlans__3d_fullres"
NNUNET_1 = Path(__file__).parent / "nnunet_1"
VALUES = (
    "margin_mean", "margin_median", "misclassified", "saturated", "dice", "sensitivity", "precision"
)  # fmt: skip


@pytest.fixture(scope="module")
def run(real_data: Path) -> Path:
    return real_data / "nnunet_hippocampus"


@pytest.fixture(scope="module")
def fold(run: Path) -> Path:
    return run / "nnUNet_results" / RUN / "fold_0"


@pytest.fixture(scope="module")
def labels(real_data: Path) -> Path:
    return real_data / "Task04_Hippocampus"


@pytest.fixture(scope="module")
def written(fold: Path, labels: Path, run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("diagnosis")
    list(diagnose(find_cases([fold], labels, [run / "train_predictions"]), None, folder, 1))
    return folder


def by_hand(folder: Path, labels: Path) -> dict[int, dict[str, list[float]]]:
    """Values of every case by class, in float64, with NumPy and nibabel alone."""
    found: dict[int, dict[str, list[float]]] = {c: {v: [] for v in VALUES} for c in range(3)}
    for file in sorted(folder.glob("*.npz")):
        p = np.load(file)["probabilities"].astype(np.float64)
        truth = np.asarray(nib.load(labels / "labelsTr" / f"{file.stem}.nii.gz").dataobj)
        truth = truth.transpose(2, 1, 0)
        said = p.argmax(0)
        for c in range(3):
            own = p[:, truth == c]
            d = np.log(own[c]) - np.log(np.max([own[k] for k in range(3) if k != c], axis=0))
            hit = ((said == c) & (truth == c)).sum()
            values = (
                d.mean(), np.median(d), (d < 0).mean(), (own.min(0) < 1e-37).mean(),
                2 * hit / ((said == c).sum() + (truth == c).sum()),
                hit / (truth == c).sum(), hit / (said == c).sum(),
            )  # fmt: skip
            for name, value in zip(VALUES, values, strict=True):
                found[c][name].append(float(value))
    return found


def test_numbers_are_those_of_an_independent_script(
    written: Path, fold: Path, labels: Path, run: Path
) -> None:
    rows = json.loads((written / "diagnosis.json").read_text())["classes"]
    assert [row["name"] for row in rows] == ["background", "Anterior", "Posterior"]
    assert [row["rare"] for row in rows] == [False, True, True]
    sides = {
        "train": by_hand(run / "train_predictions", labels),
        "unseen": by_hand(fold / "validation", labels),
    }
    for c, row in enumerate(rows):
        for side, values in sides.items():
            assert row[side]["cases"] == row[side]["patients"] == 12
            for name in VALUES:
                expected = np.mean(values[c][name])
                assert row[side][name] == pytest.approx(expected, rel=1e-5, abs=1e-9), (c, name)
        test = ttest_ind(
            sides["unseen"][c]["margin_mean"], sides["train"][c]["margin_mean"], equal_var=False
        )
        interval = test.confidence_interval(0.95)
        low, high = row["shift"]["low"], row["shift"]["high"]
        assert (low, high) == pytest.approx((interval.low, interval.high), rel=1e-4)
    # nnU-Net's own summary, and what the data's README says was seen.
    summary = json.loads((fold / "validation/summary.json").read_text())["mean"]
    for label in (1, 2):
        assert rows[label]["unseen"]["dice"] == pytest.approx(summary[str(label)]["Dice"])
    shares = [[row[side]["misclassified"] for side in sides] for row in rows]
    assert np.round(shares, 3).tolist() == [[0.010, 0.008], [0.158, 0.174], [0.126, 0.150]]


def test_the_page_is_self_contained_and_the_tables_are_those_of_the_json(written: Path) -> None:
    import pandas as pd

    page = (written / "index.html").read_text()
    assert page.index("The answer") < page.index("The numbers") < page.index("Lesions by size")
    assert page.count("data:image/png;base64,") == 3
    assert "http" not in page.replace("http-equiv", "")
    cases = pd.read_csv(written / "cases.csv")
    assert len(cases) == 24 * 3
    means = cases.groupby(["side", "class"])["margin_mean"].mean()
    for row in json.loads((written / "diagnosis.json").read_text())["classes"]:
        assert row["unseen"]["margin_mean"] == pytest.approx(means["unseen", row["name"]])
    sizes = pd.read_csv(written / "lesion_sizes.csv")
    assert sizes["lesions"].sum() == len(pd.read_csv(written / "lesions.csv"))


@pytest.mark.slow
def test_the_same_bytes_in_several_processes(
    written: Path, fold: Path, labels: Path, run: Path, tmp_path: Path
) -> None:
    found = find_cases([fold], labels, [run / "train_predictions"])
    list(diagnose(found, None, tmp_path / "again", 2))
    assert digests(tmp_path / "again") == digests(written)


def test_without_training_cases_it_says_what_is_missing(
    fold: Path, labels: Path, tmp_path: Path
) -> None:
    found = find_cases([fold], labels)
    said = list(diagnose(found, ["Posterior"], tmp_path, 1))
    assert "nnUNetv2_predict -i nnUNet_raw/Dataset904_Hippocampus/imagesTr" in found.notes[0]
    assert "-d 904 -c 3d_fullres -tr nnUNetTrainerTiny -p nnUNetPlans -f 0" in found.notes[0]
    assert found.notes[0] in said
    result = json.loads((tmp_path / "diagnosis.json").read_text())
    assert [row["rare"] for row in result["classes"]] == [False, False, True]
    assert result["classes"][2]["train"]["cases"] == 0
    assert result["classes"][2]["shift"]["difference"] is None
    assert result["classes"][2]["unseen"]["dice"] > 0.8


# Folders made by hand, small, of cubes: their shape fits both ways.
SHAPE = (8, 8, 8)


def truth(number: int) -> np.ndarray:
    labels = np.zeros(SHAPE, np.uint8)
    labels[1 : 4 + number % 3, 2:5, 1:3] = 1
    labels[5:7, 5:8, 4 : 6 + number % 2] = 2
    return labels


def scores(labels: np.ndarray, number: int) -> np.ndarray:
    """Softmax in the file's axes, (3, X, Y, Z)."""
    rng = np.random.default_rng(number)
    z = rng.normal(0, 1, (3, *SHAPE)).astype(np.float32)
    for c in range(3):
        z[c][labels == c] += 3
    return np.exp(z) / np.exp(z).sum(0)


def save(file: Path, labels: np.ndarray) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(labels, np.diag([1, 1, 2, 1.0])), file)


def write(folder: Path, number: int, key: str = "probabilities", dtype: str = "f4") -> None:
    p = scores(truth(number), number)
    save(folder / f"case_{number}.nii.gz", p.argmax(0).astype(np.uint8))
    np.savez_compressed(
        folder / f"case_{number}.npz", **{key: p.transpose(0, 3, 2, 1).astype(dtype)}
    )


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """A results folder of two folds with their training predictions, splits, and labels."""
    model = tmp_path / "nnUNet_results/Dataset001_Cubes/nnUNetTrainer__nnUNetPlans__3d_fullres"
    model.mkdir(parents=True)
    description: dict[str, Any] = {"labels": {"background": 0, "organ": 1, "lesion": 2}}
    (model / "dataset.json").write_text(json.dumps(description))
    parts = [[0, 1, 2], [3, 4, 5]]
    for fold, (unseen, seen) in enumerate([parts, parts[::-1]]):
        for number in unseen:
            write(model / f"fold_{fold}/validation", number)
        for number in seen:
            write(tmp_path / f"train/fold_{fold}", number)
    names = [[f"case_{number}" for number in part] for part in parts]
    splits = [{"train": names[1], "val": names[0]}, {"train": names[0], "val": names[1]}]
    preprocessed = tmp_path / "nnUNet_preprocessed/Dataset001_Cubes"
    preprocessed.mkdir(parents=True)
    (preprocessed / "splits_final.json").write_text(json.dumps(splits))
    for number in range(6):
        save(tmp_path / f"raw/labelsTr/case_{number}.nii.gz", truth(number))
    return model


def record(*folds: Path, labels: Path | None = None) -> list[Any]:
    found = find_cases(folds, labels or folds[0].parents[2] / "raw")
    return read_cases(found.scheme, found.sources, 1)


def dice(records: list[Any]) -> list[float]:
    return [one.classes[2].dice for one in records]


def test_axes_of_a_cube_are_those_of_the_label_map_beside_it(made: Path) -> None:
    """The same scores stored in the file's own axes: found out, and the same numbers."""
    expected = dice(record(made))
    for file in (made / "fold_0/validation").glob("*.npz"):
        p = np.load(file)["probabilities"]
        np.savez(file, probabilities=p.transpose(0, 3, 2, 1))
    assert dice(record(made)) == expected
    assert min(expected) > 0.5
    file = made / "fold_0/validation/case_0.npz"
    np.savez(file, probabilities=np.load(file)["probabilities"].transpose(0, 2, 1, 3))
    with pytest.raises(
        RarelensError, match=r"case_0.npz: its largest class agrees with case_0.nii.gz"
    ):
        record(made)


def test_several_folds_each_with_its_own_training_cases(made: Path) -> None:
    found = find_cases([made], made.parents[2] / "raw", [made.parents[2] / "train"])
    assert [(s.case, s.side) for s in found.sources if s.fold == "1"] == [
        *((f"case_{n}", "unseen") for n in (3, 4, 5)), *((f"case_{n}", "train") for n in (0, 1, 2))
    ]  # fmt: skip
    assert found.notes == []
    assert found.command == "nnUNetv2_train 001 3d_fullres 0 -p nnUNetPlans --npz"
    (made.parents[2] / "train/fold_1/case_2.npz").unlink()
    found = find_cases([made], made.parents[2] / "raw", [made.parents[2] / "train"])
    assert found.notes == ["Training cases of fold 1 without a prediction are left out: case_2"]
    with pytest.raises(RarelensError, match="1 folders for 2 folds"):
        find_cases([made], made.parents[2] / "raw", [made.parents[2] / "train/fold_0"])


def test_the_first_version_is_read_cropped_and_in_half_precision(made: Path) -> None:
    expected = dice(record(made))
    root = made.parents[2]
    old = root / "results/nnUNet/3d_fullres/Task001_Cubes/nnUNetTrainerV2__nnUNetPlansv2.1"
    for number in range(3):
        write(old / "fold_0/validation_raw", number, "softmax", "f2")
        file = old / f"fold_0/validation_raw/case_{number}.npz"
        cropped = np.load(file)["softmax"][:, :, 1:]
        np.savez_compressed(file, softmax=cropped)
        box = np.array([[0, 8], [1, 8], [0, 8]])
        properties = {"crop_bbox": box, "itk_spacing": (np.float64(2), 1.0, 1.0)}
        file.with_suffix(".pkl").write_bytes(pickle.dumps(properties, protocol=2))
        # What is outside of the box is background in the label map, too.
        image = nib.load(file.with_suffix(".nii.gz"))
        labels = np.asarray(image.dataobj).copy()
        labels[:, 0] = 0
        save(file.with_suffix(".nii.gz"), labels)
    names = {"labels": {"0": "background", "1": "organ", "2": "lesion"}}
    (root / "raw/dataset.json").write_text(json.dumps(names))
    records = record(old, labels=root / "raw")
    assert dice(records) == pytest.approx(expected[:3], abs=0.1)
    saturated = [one.classes[0].margins.saturated for one in records]
    assert min(saturated) >= 8 * 8
    file.with_suffix(".pkl").unlink()
    with pytest.raises(RarelensError, match=r"case_2.npz: scores of shape .* cropped"):
        record(old, labels=root / "raw")


def test_what_nnunet_1_itself_wrote_is_read(tmp_path: Path) -> None:
    """Files of version 1.7.1's own export (`nnunet_1/make.py`), cropped and resampled by it."""
    shutil.copytree(NNUNET_1, tmp_path / "one")
    root, task = tmp_path / "one", "Task001_Cubes"
    (root / "nnUNet_preprocessed" / task).mkdir(parents=True)
    (root / "splits_final.pkl").rename(root / f"nnUNet_preprocessed/{task}/splits_final.pkl")
    raw = root / "nnUNet_raw_data" / task
    shutil.move(root / "labelsTr", raw / "labelsTr")
    names = {"labels": {"0": "background", "1": "organ", "2": "lesion"}}
    (raw / "dataset.json").write_text(json.dumps(names))
    fold = root / f"nnUNet/3d_fullres/{task}/nnUNetTrainerV2__nnUNetPlansv2.1/fold_0"
    found = find_cases([fold], raw)
    assert "nnUNet_predict -i nnUNet_raw/Task001_Cubes/imagesTr" in found.notes[0]
    assert found.command == ""
    (one,) = read_cases(found.scheme, found.sources, 1)
    said = np.asarray(nib.load(fold / "validation_raw/case_1.nii.gz").dataobj)
    labels = np.asarray(nib.load(raw / "labelsTr/case_1.nii.gz").dataobj)
    inside = np.load(fold / "validation_raw/case_1.npz")["softmax"].astype(np.float64)
    assert inside.shape[1:] == (10, 12, 12) != labels.T.shape == (14, 16, 18)
    box = labels.T[2:12, 3:15, 4:16]
    for index in (1, 2):
        hit = ((said == index) & (labels == index)).sum()
        dice = 2 * hit / ((said == index).sum() + (labels == index).sum())
        assert 0.5 < dice < 1
        assert one.classes[index].dice == pytest.approx(dice)
        own = np.log(np.maximum(inside[:, box == index], np.finfo(np.float16).tiny))
        margins = own[index] - np.delete(own, index, 0).max(0)
        assert one.classes[index].margins.counts.moments.mean == pytest.approx(
            margins.mean(), abs=1e-3
        )
    # The splits are found, and obeyed: another case was not unseen.
    for file in sorted((fold / "validation_raw").iterdir()):
        shutil.copy(file, file.with_name(file.name.replace("case_1", "case_2")))
    with pytest.raises(RarelensError, match=r"case_2: in .*fold 0 was trained on it"):
        find_cases([fold], raw)


def test_regions_are_channels_of_their_own(made: Path) -> None:
    regions = {"background": 0, "whole": [1, 2], "lesion": 2}
    description = {"labels": regions, "regions_class_order": [1, 2]}
    (made / "dataset.json").write_text(json.dumps(description))
    for folder in ("fold_0", "fold_1"):
        for file in (made / folder / "validation").glob("*.npz"):
            p = np.load(file)["probabilities"]
            np.savez(file, probabilities=np.stack([p[1] + p[2], p[2]]))
    records = record(made)
    number = int(records[0].case[-1])
    p, labels = scores(truth(number), number), truth(number)
    whole, lesion = records[0].classes[1:]
    assert whole.voxels == (labels > 0).sum()
    said = p[1] + p[2] > 0.5
    assert whole.dice == pytest.approx(
        2 * (said & (labels > 0)).sum() / (said.sum() + whole.voxels)
    )
    margins = np.log(p[2] / (1 - p[2]))[labels == 2]
    assert lesion.margins.counts.moments.mean == pytest.approx(margins.mean(), rel=1e-4)


def test_ignored_voxels_do_not_count(made: Path) -> None:
    labels = {"background": 0, "organ": 1, "lesion": 2, "ignore": 3}
    (made / "dataset.json").write_text(json.dumps({"labels": labels}))
    for number in range(6):
        own = truth(number)
        own[6:] = 3
        save(made.parents[2] / f"raw/labelsTr/case_{number}.nii.gz", own)
    for one in record(made):
        assert one.voxels == 6 * 64
        number = int(one.case[-1])
        labels, p = truth(number)[:6], scores(truth(number), number)[:, :6]
        said = p.argmax(0)
        for c, own in enumerate(one.classes):
            hit = ((said == c) & (labels == c)).sum()
            assert (own.voxels, own.predicted) == ((labels == c).sum(), (said == c).sum())
            assert own.dice == pytest.approx(2 * hit / (own.voxels + own.predicted))
            mine = np.log(p[:, labels == c])
            margins = mine[c] - np.delete(mine, c, 0).max(0)
            assert own.margins.counts.moments.mean == pytest.approx(margins.mean(), rel=1e-4)
        # A lesion is what is left of it: here of its two layers one.
        assert sum(lesion["voxels"] for lesion in one.classes[2].lesions) == one.classes[2].voxels


def test_what_is_said_of_ignored_voxels_changes_no_byte(made: Path, tmp_path: Path) -> None:
    """Neither margins nor overlap, offsets, calibration, lesions or false alarms."""
    labels = {"background": 0, "organ": 1, "lesion": 2, "ignore": 3}
    (made / "dataset.json").write_text(json.dumps({"labels": labels}))
    for number in range(6):
        own = truth(number)
        own[:, :, 6:] = 3
        save(made.parents[2] / f"raw/labelsTr/case_{number}.nii.gz", own)

    def written(name: str) -> dict[str, str]:
        found = find_cases([made / "fold_0", made / "fold_1"], made.parents[2] / "raw")
        list(diagnose(found, None, tmp_path / name, 1))
        return digests(tmp_path / name)

    before = written("before")
    for file in made.glob("fold_*/validation/*.npz"):
        p = np.load(file)["probabilities"]
        p[:, 6:] = np.array([0.02, 0.03, 0.95]).reshape(3, 1, 1, 1)  # Of nnU-Net z lies first.
        np.savez(file, probabilities=p)
        save(file.with_suffix(".nii.gz"), p.argmax(0).transpose(2, 1, 0).astype(np.uint8))
    assert written("after") == before


def test_an_ignore_label_in_the_midst_of_the_classes_is_refused(made: Path) -> None:
    for labels in (
        {"background": 0, "organ": 1, "ignore": 2, "lesion": 3},
        {"background": 0, "whole": [1, 2], "lesion": 2, "ignore": 2},
    ):
        (made / "dataset.json").write_text(json.dumps({"labels": labels}))
        with pytest.raises(RarelensError, match="ignore is 2, but must be above every class"):
            record(made)


def array(made: Path, change: Any) -> None:
    """Change the probabilities of a case."""
    file = made / "fold_0/validation/case_0.npz"
    np.savez(file, **change(np.load(file)["probabilities"]))


def with_nan(p: np.ndarray) -> dict[str, Any]:
    p[1, 2, 3, 4] = np.nan
    return {"probabilities": p}


def into_all(made: Path) -> None:
    (made / "fold_0").rename(made / "fold_all")
    shutil.rmtree(made / "fold_1")


NPZ, RAW = "fold_0/validation/case_0.npz", "raw/labelsTr/case_0.nii.gz"
SPLITS = "nnUNet_preprocessed/Dataset001_Cubes/splits_final.json"
BAD = {
    r"no case_0.npz; make it by: nnUNetv2_train 001 3d_fullres 0 .*--val --npz": (
        lambda made: (made / NPZ).unlink()
    ),
    r"case_0.npz: not readable": (
        lambda made: (made / NPZ).write_bytes((made / NPZ).read_bytes()[:200])
    ),
    r"case_0.npz: not readable \(Object arrays cannot be loaded": (
        lambda made: array(made, lambda p: {"probabilities": np.array([{}, p], dtype=object)})
    ),
    r"case_0.npz: a score is not finite": lambda made: array(made, with_nan),
    r"case_0 .*sum to .*, not to 1: are they sigmoids of regions": (
        lambda made: array(made, lambda p: {"probabilities": np.minimum(2 * p, 1)})
    ),
    r"scores of shape \(2, 8, 8, 8\) for 3 channels": (
        lambda made: array(made, lambda p: {"probabilities": p[:2]})
    ),
    r"scores of shape \(3, 7, 8, 8\) .*cropped, or on another grid": (
        lambda made: array(made, lambda p: {"probabilities": p[:, 1:]})
    ),
    r"values of type uint8; they must be floats": (
        lambda made: array(made, lambda p: {"probabilities": (255 * p).astype(np.uint8)})
    ),
    r"it holds a, b, none of probabilities": lambda made: array(made, lambda p: {"a": p, "b": p}),
    r"case_0: no label map .*labelsTr/case_0.nii.gz": lambda made: (made.parents[2] / RAW).unlink(),
    r"label values 5, 6, 7 are no class: 0, 1, 2 are": (
        lambda made: save(made.parents[2] / RAW, truth(0) + 5)
    ),
    r"case_0.nii.gz: shape \(7, 8, 8\) differs from \(8, 8, 8\) of the labels": (
        lambda made: save(made / "fold_0/validation/case_0.nii.gz", truth(0)[1:])
    ),
    r"fold_all: fold all was trained on every case": into_all,
    r"splits_final.json: no splits of fold 0": (
        lambda made: (made.parents[2] / SPLITS).write_text("{}")
    ),
    r"case_3: in .*validation, though .* fold 0 was trained on it": (
        lambda made: write(made / "fold_0/validation", 3)
    ),
    r"there is no dataset.json that names the classes": (
        lambda made: (made / "dataset.json").unlink()
    ),
    r"no \*.npz; make it by: nnUNetv2_train": (
        lambda made: [(made.parents[2] / SPLITS).unlink(), shutil.rmtree(made / NPZ[:17])]
    ),
}


def test_what_a_folder_does_not_tell_stands_in_capitals_in_the_command() -> None:
    command = Fold(Path("Dataset001_A/my_model/fold_0"), "0").command(training=False)
    assert command == "nnUNetv2_train 001 CONFIGURATION 0 -tr my_model -p PLANS --val --npz"


@pytest.mark.parametrize("sentence", BAD)
def test_bad_input_is_told_in_a_sentence(made: Path, sentence: str) -> None:
    BAD[sentence](made)
    folds = [made / name for name in ("fold_0", "fold_all") if (made / name).is_dir()]
    with pytest.raises(RarelensError, match=sentence):
        record(*folds, labels=made.parents[2] / "raw")
