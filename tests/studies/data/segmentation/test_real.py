"""Real sets with the repository's own parameters: split whole, a few cases of each prepared."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from rarelens.pipeline.parameters.whole import read_parameters
from rarelens.studies.data.layout import read_collection
from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.data.segmentation.preprocessing import prepare_dataset
from rarelens.studies.data.segmentation.splits import assign_splits, rare_classes
from rarelens.studies.settings.segmentation.datasets import Dataset

PARAMETERS = read_parameters(Path(__file__).parents[4] / "params.yaml")


@dataclass(frozen=True)
class Facts:
    """What is known of a set: cases, and patients where they have several; a few cases."""

    channels: int
    classes: int
    cases: int
    groups: int
    some: tuple[str, ...]
    rare: tuple[int, ...]


SETS = {
    "lgg_mri": Facts(
        3, 2, 55, 55,
        ("tcga_cs_4941_19960909", "tcga_cs_4943_20000902", "tcga_cs_5393_19990606"),
        (1,),
    ),
    "emidec": Facts(1, 5, 51, 51, ("p001", "p003", "p005"), (3, 4)),
    "acdc": Facts(
        1, 4, 100, 50,
        ("patient001_frame01", "patient001_frame12", "patient003_frame01", "patient003_frame15"),
        (1, 2, 3),
    ),
}  # fmt: skip


def settings_of(name: str) -> Dataset:
    found = PARAMETERS.datasets[name]
    assert isinstance(found, Dataset)
    return found


@pytest.fixture(scope="module", params=SETS)
def prepared(
    request: pytest.FixtureRequest, real_data: Path, tmp_path_factory: pytest.TempPathFactory
) -> PreparedDataset:
    """A few cases by the parameters of the repository, but for the size of the splits."""
    name: str = request.param
    raw = tmp_path_factory.mktemp("raw")
    description = json.loads((real_data / name / "dataset.json").read_text())
    some = {f"./imagesTr/{case}.nii.gz" for case in SETS[name].some}
    description["training"] = [e for e in description["training"] if e["image"] in some]
    (raw / "dataset.json").write_text(json.dumps(description))
    for folder in ("imagesTr", "labelsTr"):
        (raw / folder).symlink_to(real_data / name / folder)
    settings, target = settings_of(name), tmp_path_factory.mktemp(name)
    split = settings.split.model_copy(update={"test": 1, "validation": 0, "pool": None})
    prepare_dataset(name, settings.layout, raw, target, settings.preprocess, split)
    return PreparedDataset(target)


@pytest.mark.parametrize("name", SETS)
def test_a_set_is_split_as_the_parameters_say_and_no_patient_is_parted(
    name: str, real_data: Path
) -> None:
    facts, settings = SETS[name], settings_of(name)
    collection = read_collection(settings.layout, real_data / name, name)
    assert (len(collection.channels), len(collection.classes)) == (facts.channels, facts.classes)
    table = assign_splits([c.case for c in collection.cases], settings.split, real_data / name)
    assert (len(table), table["group"].nunique()) == (facts.cases, facts.groups)
    sides = table["split"].value_counts()
    assert sides["test"] == settings.split.test == facts.cases // 2
    assert sides["validation"] == settings.split.validation
    assert sides["pool"] == facts.cases - sides["test"] - sides["validation"]
    assert table.groupby("group")["split"].nunique().eq(1).all()


def test_a_few_cases_are_prepared_with_their_groups(prepared: PreparedDataset) -> None:
    facts = SETS[prepared.name]
    assert tuple(prepared.table.index) == facts.some
    patients = {case: case.partition("_")[0] for case in facts.some}
    assert prepared.groups == (patients if prepared.name == "acdc" else {c: c for c in facts.some})
    sides = prepared.table.groupby("group")["split"].unique()
    assert all(len(side) == 1 for side in sides)
    assert set(prepared.cases("test")) | set(prepared.cases("pool")) == set(facts.some)
    for case in facts.some:
        image, label = prepared.image(case), prepared.label(case)
        assert image.shape == (facts.channels, *label.shape)
        assert np.isfinite(image).all()
        inside = np.asarray(image, np.float32)[np.asarray(image) != 0]
        assert abs(inside.mean()) < 0.02
        assert label.max() < facts.classes


def test_rare_classes_are_those_that_the_set_is_there_for(real_data: Path) -> None:
    """By the shares of all voxels of the label maps, read independently."""
    import nibabel as nib
    import pandas as pd

    for name, facts in SETS.items():
        counts = np.zeros(facts.classes, int)
        for file in sorted((real_data / name / "labelsTr").glob("[!.]*.nii.gz")):
            labels = np.asarray(nib.load(file).dataobj).astype(int)
            counts += np.bincount(labels.ravel(), minlength=facts.classes)
        table = pd.DataFrame({"split": ["pool"], "voxels": [counts.tolist()]})
        settings = settings_of(name)
        names = tuple(map(str, range(facts.classes)))
        found = rare_classes(table, names, settings.rare_classes, settings.rare_threshold)
        assert found == facts.rare
