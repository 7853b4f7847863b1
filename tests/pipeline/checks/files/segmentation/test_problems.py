"""What ``rarelens validate`` finds wrong with a study of volumes."""

from __future__ import annotations

import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from ruamel.yaml import YAML

from pipeline.checks.files.studies import Study, problems, repository_parameters
from rarelens.pipeline.checks.validate import validate_study


def test_problems_of_parameters_and_of_several_files_at_once(study: Study) -> None:
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


def test_problems_of_every_dataset_at_once(study: Study) -> None:
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
            "params.yaml: datasets.tiny.rare_classes: [1, 3]: there is no class 3; give each by",
        ),
        (
            {"datasets__tiny__rare_classes": ["Anterio"]},
            "params.yaml: datasets.tiny.rare_classes: ['Anterio']: there is no class 'Anterio'; ",
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
def test_single_mistakes(study: Study, changes: dict, sentence: str) -> None:
    study(**changes)
    (found,) = problems()
    assert sentence in found
    assert "Traceback" not in found


@pytest.mark.parametrize("settings", [[{"method": "zscore"}], [{"method": "zscore"}] * 2])
def test_one_intensity_for_all_channels_or_one_each(study: Study, settings: list[dict]) -> None:
    study(datasets__tiny__preprocess__intensity=settings, datasets__tiny__rare_classes=[1, 2])
    assert "no problem found" in validate_study()


@pytest.mark.parametrize("named", [True, False])
def test_a_split_file_decides_whether_there_are_validation_cases(study: Study, named: bool) -> None:
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


def test_all_mistakes_of_params_yaml_at_once(study: Study) -> None:
    study(train__segmentation__steps=0, compare__bootstrap="many", report__dpy=3)
    found = problems()
    assert len(found) == 3


def test_real_data_has_no_problem(hippocampus_raw: Path, study: Study) -> None:
    Path("data/raw/hippocampus").symlink_to(hippocampus_raw)
    values = repository_parameters()["datasets"]["hippocampus"]
    values["split"] |= {"test": 2, "validation": 1, "pool": 4}
    study(datasets__hippocampus=values, study__segmentation__datasets=["hippocampus"])
    assert "no problem found" in validate_study()


def test_volumes_that_a_spacing_makes_smaller_than_a_patch_are_noted(study: Study) -> None:
    first = nib.load("data/raw/tiny/imagesTr/tiny_000.nii.gz")
    fine, coarse = 1.0, 4.0
    for spacing, noted in ((fine, False), (coarse, True)):
        study(
            datasets__tiny__preprocess__spacing=[spacing] * 3,
            datasets__tiny__patch_size=[8, 8, 8],
        )
        notes = [line for line in validate_study().splitlines() if "smaller than a patch" in line]
        assert bool(notes) is noted
    sizes = np.array(first.shape[:3]) * first.header.get_zooms()[:3] / coarse
    assert "tiny: 7 of 7 cases are smaller than a patch of 8 × 8 × 8 voxels" in notes[0]
    assert min(sizes) < 8


def test_a_z_score_over_air_is_noted(study: Study) -> None:
    study(datasets__tiny__preprocess__intensity=[{"method": "zscore"}])
    file = Path("data/raw/tiny/imagesTr/tiny_000.nii.gz")
    image = nib.load(file)
    voxels = image.get_fdata(dtype=np.float32)
    assert voxels.all()
    said = validate_study()
    for channel in ("T1", "T2"):
        assert f"tiny: no voxel of tiny_000 is 0 in channel {channel}: its z-score" in said
    voxels[0, 0, 0, 1] = 0
    nib.save(nib.Nifti1Image(voxels, image.affine), file)
    said = validate_study()
    assert "is 0 in channel T1" in said
    assert "is 0 in channel T2" not in said
