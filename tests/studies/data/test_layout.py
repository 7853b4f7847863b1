"""Every layout that there is keeps to the contract (`rarelens.studies.data.layout.Layout`)."""

from __future__ import annotations

import inspect
from importlib import import_module
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from rarelens.errors import RarelensError
from rarelens.studies.data.classification.collection import ImageCollection
from rarelens.studies.data.layout import (
    TASKS,
    Layout,
    layout_module,
    layouts_of,
    read_collection,
    task_of,
)
from rarelens.studies.data.segmentation.collection import Collection

KINDS: dict[str, type] = {"segmentation": Collection, "classification": ImageCollection}
LAYOUTS = [(task, layout) for task in TASKS for layout in layouts_of(task)]
# Of each layout that there are real data for, all sets.
REAL = {
    "msd": ["Task04_Hippocampus", "lgg_mri", "emidec", "acdc"],
    "coco": ["bccd_tiles_96px", "emidec_findings_128px", "ich_ct_256px"],
    "nih": ["nih_chestxray14_64px"],
    "nnunet": ["nnunet_hippocampus/nnUNet_raw/Dataset904_Hippocampus"],
}


def test_layouts_are_found_by_their_files_and_of_one_task_each() -> None:
    names = [layout for _, layout in LAYOUTS]
    assert {"msd", "nnunet", "coco", "nih", "chexpert", "medmnist"} <= set(names)
    assert len(set(names)) == len(names)
    assert [task_of(layout) for layout in names] == [task for task, _ in LAYOUTS]
    assert task_of("bids") is None
    with pytest.raises(RarelensError, match=r"there is no 'bids'; choose one of .*msd.*coco"):
        layout_module("bids")


@pytest.mark.parametrize(("task", "layout"), LAYOUTS)
def test_a_layout_reads_a_folder_into_its_task_s_collection(task: str, layout: str) -> None:
    read = import_module(layout_module(layout)).read
    assert (
        list(inspect.signature(read).parameters)
        == list(inspect.signature(Layout.read).parameters)[1:]
    )
    hints = get_type_hints(read)
    assert hints == {"folder": Path, "name": str, "return": KINDS[task]}
    assert "Raises:" in inspect.getdoc(read)
    assert "Source" in inspect.getdoc(inspect.getmodule(read))  # of the format


@pytest.mark.parametrize(("task", "layout"), LAYOUTS)
@pytest.mark.parametrize("there", [True, False])
def test_a_folder_without_such_data_is_refused_by_its_name(
    task: str, layout: str, there: bool, tmp_path: Path
) -> None:
    folder = tmp_path / "empty"
    if there:
        folder.mkdir()
    with pytest.raises(RarelensError) as caught:
        read_collection(layout, folder, "x")
    assert all(str(folder) in problem for problem in caught.value.problems)


@pytest.mark.parametrize(("layout", "name"), [(k, name) for k, v in REAL.items() for name in v])
def test_a_real_set_is_read_as_the_contract_says(layout: str, name: str, real_data: Path) -> None:
    found: Any = read_collection(layout, real_data / name, name)
    assert type(found) is KINDS[task_of(layout)]
    assert found.name == name
    assert len(set(found.classes)) == len(found.classes) > 1
    if isinstance(found, Collection):
        ids = [case.case for case in found.cases]
        files = [file for case in found.cases for file in (*case.images, case.label)]
    else:
        ids = [entry.image for entry in found.images]
        files = [entry.source.file for entry in found.images]
        assert {len(entry.labels) for entry in found.images} == {len(found.classes)}
        assert all(entry.group for entry in found.images)
    assert ids == sorted(set(ids))
    assert all(file.is_file() for file in files)
