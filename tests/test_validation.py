from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from ruamel.yaml import YAML

from rarelens.cells import Cell
from rarelens.config.whole import read_parameters
from rarelens.errors import RarelensError
from rarelens.files import write_json
from rarelens.training.segmentation.job import Job
from rarelens.validation import validate_study

PARAMETERS = Path(__file__).parents[1] / "params.yaml"


@pytest.fixture
def study(tiny_raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A project folder with the tiny dataset; call it to change parameters by dotted path."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(tiny_raw, tmp_path / "data/raw/tiny")
    values = YAML(typ="safe").load(PARAMETERS.read_text())
    values["study"] = {
        "simulated": [],
        "segmentation": {
            "datasets": ["tiny"],
            "networks": ["unet"],
            "methods": ["cross_entropy", "focal"],
            "baseline": "cross_entropy",
            "adjusted": [],
            "adjustments": [],
            "fractions": [0.5, 1],
            "seeds": [0, 1, 2],
        },
        "classification": values["study"]["classification"] | {"datasets": []},
    }
    values["datasets"] = {"tiny": values["datasets"]["embedded"]}
    del values["datasets"]["tiny"]["simulate"]
    values["datasets"]["tiny"]["split"] |= {"test": 2, "validation": 1, "pool": 4}
    values["networks"]["unet"]["channels"] = [4, 8]
    values["layers"]["unet"]["units"] = ["model.0", "model.1.submodule"]
    values["layers"]["unet"]["units"] = ["model.0"]

    def change(**changes: Any) -> None:
        for path, value in changes.items():
            *parents, key = path.split("__")
            section = values
            for step in parents:
                section = section[step]
            section[key] = value
        YAML().dump(values, Path("params.yaml"))

    change()
    return change


def problems() -> list[str]:
    with pytest.raises(RarelensError) as error:
        validate_study()
    return list(error.value.problems)


def past(method: str, seed: int, seconds: float) -> None:
    """Leave behind what a trained cell does: a record, and 1 MiB on disk."""
    cell = Cell("segmentation", "tiny", "unet", method, "1", seed)
    parameters = read_parameters()
    data = parameters.datasets["tiny"]
    job = Job(
        cell,
        parameters.networks["unet"],
        parameters.methods.segmentation[method],
        parameters.train.segmentation,
        data.preprocess,
        data.patch_size,
        data.rare_classes,
        data.rare_threshold,
    )
    record = {"seconds": seconds, "peak_memory_mib": 400 + seed, "parameters": job.as_dict()}
    write_json(cell.folder("records").with_suffix(".json"), record)
    cell.folder("models").mkdir(parents=True)
    (cell.folder("models") / "weights.safetensors").write_bytes(bytes(2**20))


def test_a_study_without_problems(study: Callable[..., None]) -> None:
    lines = validate_study().splitlines()
    assert lines[0] == "params.yaml and data: no problem found"
    assert "cells: 12, of which 0 are trained" in lines
    assert any(line.startswith("disk: prepared data about 0.00 GiB") for line in lines)
    assert "memory, hours, disk per cell: known once a cell has been trained" in lines


def test_disk_is_told_from_the_headers(study: Callable[..., None]) -> None:
    """Twelve thousand voxels a case at 0.1 of the spacing: a factor of 3000."""
    study(datasets__tiny__preprocess__spacing=[0.1, 0.1, 0.1])
    voxels = sum(18 * (20 + n % 3) * 16 for n in range(7)) * (1.0 * 1.5 * 2.0) / 0.1**3
    expected = voxels * (2 * 2 + 1) / 2**30  # Two channels in float16, a label in uint8.
    assert f"disk: prepared data about {expected:.2f} GiB" in validate_study()


def test_past_trainings_tell_hours_and_memory(study: Callable[..., None]) -> None:
    past("focal", 1, 3600)
    past("focal", 2, 7200)
    lines = validate_study().splitlines()
    assert "cells: 12, of which 2 are trained" in lines
    assert "disk: about 1.0 MiB a cell, 0.01 GiB in all" in lines
    assert "memory: 402 MiB at the peak of past trainings" in lines
    assert "hours: about 15.00 of training for 10 cells to come (5400 s each so far)" in lines


@pytest.mark.parametrize(
    ("changes", "trained"),
    [
        ({"train__segmentation__steps": 7}, 0),
        ({"datasets__tiny__rare_classes": [1]}, 0),
        ({"methods__segmentation__focal": {"objective": "focal", "gamma": 3.0}}, 1),
        ({"report__dpi": 99}, 2),
    ],
    ids=["steps", "rare classes", "focal", "dpi"],
)
def test_trainings_by_other_parameters_are_to_come_but_tell_their_time(
    study: Callable[..., None], changes: dict, trained: int
) -> None:
    past("focal", 1, 3600)
    past("cross_entropy", 2, 7200)
    study(**changes)
    text = validate_study()
    assert f"cells: 12, of which {trained} are trained" in text
    left = 12 - trained
    assert f"hours: about {1.5 * left:.2f} of training for {left} cells to come (5400 s" in text
    assert "memory: 402 MiB at the peak of past trainings" in text


def test_problems_of_parameters_and_of_several_files_at_once(study: Callable[..., None]) -> None:
    study(
        study__segmentation__networks=["unet", "vnet"],
        datasets__tiny__split__test=20,
    )
    raw = Path("data/raw/tiny")
    shutil.copy(raw / "labelsTr/tiny_000.nii.gz", raw / "labelsTr/tiny_001.nii.gz")
    (raw / "imagesTr/tiny_002.nii.gz").write_bytes(b"1234")
    label = nib.load(raw / "labelsTr/tiny_003.nii.gz")
    data = np.array(label.dataobj)
    data[0, 0, 0] = 7
    nib.save(nib.Nifti1Image(data, label.affine), raw / "labelsTr/tiny_003.nii.gz")
    found = "\n".join(problems())
    assert "study.segmentation.networks: there is no 'vnet'; choose one of" in found
    for name in ("labelsTr/tiny_001", "imagesTr/tiny_002", "labelsTr/tiny_003"):
        assert name in found
    assert "split: there are 7 cases, but 20 test" in found


def test_problems_of_every_dataset_at_once(study: Callable[..., None]) -> None:
    values = YAML(typ="safe").load(Path("params.yaml").read_text())["datasets"]["tiny"]
    study(
        datasets__second=values,
        study__segmentation__datasets=["tiny", "second", "third"],
    )
    (Path("data/raw/tiny/labelsTr/tiny_001.nii.gz")).unlink()
    found = "\n".join(problems())
    assert "study.segmentation.datasets: there is no 'third'" in found
    assert "labelsTr/tiny_001" in found
    assert "second/dataset.json: no such file" in found


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"study__segmentation__fractions": [0.1, 1]},
            "fractions: 0.1 of tiny's pool of 4 cases leaves no training case",
        ),
        (
            {"datasets__tiny__patch_size": [16, 15, 16]},
            "datasets.tiny.patch_size: networks.unet does not take patches of [16, 15, 16]",
        ),
        (
            {"methods__segmentation__focal": {"objective": "focal", "gama": 2}},
            "methods.segmentation.focal.gama: unknown key",
        ),
        (
            {"networks__unet__channels": [4]},
            "channels: ",
        ),
        (
            {"study__simulated": ["tiny"]},
            "study.simulated: datasets.tiny has no section simulate; add it",
        ),
        ({"train__segmentation__steps": 0}, "train.segmentation.steps: "),
        (
            {"datasets__tiny__rare_classes": [1, 3]},
            "params.yaml: datasets.tiny.rare_classes: [1, 3]: name at least one class, each from",
        ),
        (
            {"datasets__tiny__rare_classes": [0, 1, 2]},
            "params.yaml: datasets.tiny.rare_classes: [0, 1, 2]: every class is named",
        ),
        (
            {"datasets__tiny__preprocess__intensity": [{"method": "zscore"}] * 3},
            "params.yaml: datasets.tiny.preprocess.intensity: 3 entries for images of 2 channels",
        ),
        (
            {"datasets__tiny__split__validation": 0, "train__segmentation__select": "best"},
            "params.yaml: train.segmentation.select: best needs validation cases, and tiny has",
        ),
        (
            {
                "methods__segmentation__focal": {
                    "objective": "compound",
                    "losses": [{"objective": "focal"}],
                    "weights": [1, 2],
                }
            },
            "params.yaml: methods.segmentation.focal: compound: there are 1 losses and 2 weights",
        ),
    ],
)
def test_single_mistakes(study: Callable[..., None], changes: dict, sentence: str) -> None:
    study(**changes)
    (found,) = problems()
    assert sentence in found
    assert "Traceback" not in found


@pytest.mark.parametrize("settings", [[{"method": "zscore"}], [{"method": "zscore"}] * 2])
def test_one_intensity_for_all_channels_or_one_each(
    study: Callable[..., None], settings: list[dict]
) -> None:
    study(datasets__tiny__preprocess__intensity=settings, datasets__tiny__rare_classes=[1, 2])
    assert "no problem found" in validate_study()


@pytest.mark.parametrize("named", [True, False])
def test_a_split_file_decides_whether_there_are_validation_cases(
    study: Callable[..., None], named: bool
) -> None:
    sides = ["test", "validation" if named else "unused", *["pool"] * 5]
    rows = [f"tiny_{number:03d},{side}" for number, side in enumerate(sides)]
    Path("data/raw/tiny/split.csv").write_text("\n".join(["case,split", *rows]))
    study(
        datasets__tiny__split__file="split.csv",
        datasets__tiny__split__validation=0 if named else 1,
        train__segmentation__patience=5,
    )
    if named:
        assert "no problem found" in validate_study()
    else:
        (found,) = problems()
        assert "train.segmentation.patience: 5 needs validation cases, and tiny has none" in found


def test_all_mistakes_of_params_yaml_at_once(study: Callable[..., None]) -> None:
    study(train__segmentation__steps=0, compare__bootstrap="many", report__dpy=3)
    found = problems()
    assert len(found) == 3


def test_a_simulated_dataset_may_not_be_there_yet(study: Callable[..., None]) -> None:
    simulate = YAML(typ="safe").load(PARAMETERS.read_text())["datasets"]["embedded"]["simulate"]
    study(datasets__tiny__simulate=simulate, study__simulated=["tiny"])
    shutil.rmtree("data/raw/tiny")
    text = validate_study()
    assert "tiny: not simulated yet; `dvc repro` does so first" in text
    assert "cells: 12" in text
    study(datasets__tiny__split__pool=400)
    (found,) = problems()
    assert "split: there are 44 cases, but 2 test + 1 validation + 400 pool" in found


@pytest.fixture
def simulated(study: Callable[..., None], tmp_path: Path) -> Callable[..., None]:
    """A cohort of 7 on disk by parameters of 7; call it to change these."""
    values = YAML(typ="safe").load(PARAMETERS.read_text())["datasets"]["embedded"]["simulate"]
    study(datasets__tiny__simulate=values | {"subjects": 7}, study__simulated=["tiny"])
    raw = Path("data/raw/tiny")
    raw.rename("simulated")
    raw.mkdir()
    Path("simulated").rename(raw / "simulated")
    return study


def test_an_enlarged_cohort_is_checked_as_it_will_be(simulated: Callable[..., None]) -> None:
    assert "simulate" not in validate_study()
    # The files of the old cohort are replaced, whatever is wrong with them.
    Path("data/raw/tiny/simulated/imagesTr/tiny_002.nii.gz").write_bytes(b"1234")
    simulated(datasets__tiny__simulate__subjects=30, datasets__tiny__split__pool=27)
    text = validate_study()
    assert "tiny: 7 subjects on disk, 30 wanted; `dvc repro` simulates them anew first" in text
    simulated(datasets__tiny__split__pool=28)
    (found,) = problems()
    assert "split: there are 30 cases, but 2 test + 1 validation + 28 pool = 31" in found


def test_a_cohort_of_the_right_size_is_read(simulated: Callable[..., None]) -> None:
    Path("data/raw/tiny/simulated/imagesTr/tiny_002.nii.gz").write_bytes(b"1234")
    (found,) = problems()
    assert "tiny_002.nii.gz: not readable as NIfTI" in found


@pytest.mark.parametrize("there", [True, False])
def test_settings_of_a_cohort_are_checked_before_it_is_simulated(
    simulated: Callable[..., None], there: bool
) -> None:
    if not there:
        shutil.rmtree("data/raw/tiny/simulated")
    simulated(
        datasets__tiny__rare_classes=[2],
        datasets__tiny__preprocess__intensity=[{"method": "zscore"}] * 2,
    )
    found = problems()
    assert len(found) == 2
    assert "preprocess.intensity: 2 entries for images of 1 channels" in found[0]
    assert "rare_classes: [2]: name at least one class, each from 0 to 1" in found[1]


def test_data_of_the_users_where_a_cohort_would_be_simulated(
    simulated: Callable[..., None],
) -> None:
    Path("data/raw/tiny/precious.txt").write_text("mine")
    assert problems() == [
        "data/raw/tiny: data of your own (precious.txt) stand where a simulated dataset would be "
        "written; move them away, or name another dataset in study.simulated"
    ]


def test_real_data_has_no_problem(hippocampus_raw: Path, study: Callable[..., None]) -> None:
    Path("data/raw/hippocampus").symlink_to(hippocampus_raw)
    values = YAML(typ="safe").load(PARAMETERS.read_text())["datasets"]["hippocampus"]
    values["split"] |= {"test": 2, "validation": 1, "pool": 4}
    study(datasets__hippocampus=values, study__segmentation__datasets=["hippocampus"])
    assert "no problem found" in validate_study()
