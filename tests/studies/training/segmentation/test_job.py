from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from rarelens.errors import RarelensError
from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.data.segmentation.preprocessing import prepare_dataset
from rarelens.studies.settings.segmentation.datasets import Split
from rarelens.studies.training.segmentation.job import SegmentationJob

MakeJob = Callable[..., SegmentationJob]


@pytest.mark.parametrize(
    "changes",
    [
        {"steps": 7},
        {"learning_rate": 0.011},
        {"gradient_clip": 1.0},
        {"threads": 2},
        {"seed": 1},
        {"fraction": "0.5"},
        {"patch_size": (16, 16, 12)},
        {"rare_classes": (1,)},
        {"rare_threshold": 0.04},
        {"network": {"network": "unet", "channels": [4, 6]}},
        {"method": {"objective": "focal"}},
        {"method": {"objective": "cross_entropy", "foreground_share": 0.5}},
        {"code": "another"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_any_parameter_and_the_code_change_the_identity(
    tiny: PreparedDataset, make_job: MakeJob, changes: dict
) -> None:
    assert make_job().identity(tiny) == make_job().identity(tiny)
    assert make_job(**changes).identity(tiny) != make_job().identity(tiny)


def test_a_changed_voxel_changes_the_identity(
    tiny: PreparedDataset, tiny_raw: Path, make_job: MakeJob, tmp_path: Path
) -> None:
    raw = tmp_path / "raw"
    shutil.copytree(tiny_raw, raw)
    file = raw / "imagesTr" / f"{make_job().training_cases(tiny)[0]}.nii.gz"
    image = nib.load(file)
    voxels = np.asarray(image.dataobj).copy()
    voxels[0, 0, 0] += 1
    nib.save(nib.Nifti1Image(voxels, image.affine), file)
    target = tmp_path / "prepared"
    target.mkdir()
    split = Split(seed=0, test=2, validation=1, pool=4, file=None, group=None)
    prepare_dataset("tiny", "msd", raw, target, make_job().preprocess, split)
    assert make_job().identity(PreparedDataset(target)) != make_job().identity(tiny)


def test_a_method_may_have_its_own_foreground_share(make_job: MakeJob) -> None:
    own = {"objective": "cross_entropy", "foreground_share": 0.0}
    assert make_job(foreground_share=0.25).foreground_share == 0.25
    assert make_job(foreground_share=0.25, method=own).foreground_share == 0.0


def test_a_method_may_have_its_own_foreground_jitter(make_job: MakeJob) -> None:
    own = {"objective": "cross_entropy", "foreground_jitter": 0.0}
    assert make_job(foreground_jitter=0.25).foreground_jitter == 0.25
    assert make_job(foreground_jitter=0.25, method=own).foreground_jitter == 0.0


def test_training_cases_are_a_share_of_the_pool(tiny: PreparedDataset, make_job: MakeJob) -> None:
    half = make_job(fraction="0.5").training_cases(tiny)
    assert len(half) == 2
    assert set(half) < set(make_job().training_cases(tiny)) == set(tiny.cases("pool"))


def test_rare_classes_by_name_are_those_by_value(tiny: PreparedDataset, make_job: MakeJob) -> None:
    assert make_job(rare_classes=("right",)).rare(tiny) == (2,)
    with pytest.raises(RarelensError, match=r"datasets\.tiny\.rare_classes: .* no class 'rihgt'; "):
        make_job(rare_classes=("rihgt",)).rare(tiny)


@pytest.mark.parametrize("rare", ["auto", (1, "right")])
def test_parameters_are_the_same_after_a_way_through_json(make_job: MakeJob, rare: object) -> None:
    parameters = make_job(rare_classes=rare, method={"objective": "focal"}).as_dict()
    assert json.loads(json.dumps(parameters)) == parameters
