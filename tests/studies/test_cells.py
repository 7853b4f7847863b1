"""Cells: their order, their folders, their list on disk, and what is dropped with a study."""

from __future__ import annotations

from pathlib import Path

import pytest

from rarelens.studies.cells import Cell, cells_of, drop_other_cells, read_cells, write_cells
from rarelens.studies.settings.study import Study


def study(**changes: object) -> Study:
    lists = {
        "datasets": ("b", "a"),
        "networks": ("unet",),
        "methods": ("focal", "cross_entropy"),
        "baseline": "cross_entropy",
        "adjusted": (),
        "adjustments": (),
        "fractions": (1, 0.05),
        "seeds": (1, 0),
    }
    return Study(**(lists | changes))


def contents(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*")}


def fill(root: Path, cells: list[Cell]) -> None:
    for cell in cells:
        folder = root / cell.name
        folder.mkdir(parents=True)
        (folder / "shift.parquet").write_text(cell.name)


def test_cells_are_the_product_of_the_lists_in_their_order():
    cells = cells_of("segmentation", study())
    assert len(cells) == len(set(cells)) == 2 * 1 * 2 * 2 * 2
    assert [cell.name for cell in cells[:5]] == [
        "b/unet/focal/1/1",
        "b/unet/focal/1/0",
        "b/unet/focal/0.05/1",
        "b/unet/focal/0.05/0",
        "b/unet/cross_entropy/1/1",
    ]
    assert [cell.dataset for cell in cells] == ["b"] * 8 + ["a"] * 8


def test_a_cell_s_folder_is_below_its_stage_and_task():
    cell = Cell("segmentation", "a", "unet", "focal", "0.05", 3)
    assert cell.folder("models") == Path("models/segmentation/a/unet/focal/0.05/3")


def test_the_list_of_cells_reads_back_as_written(tmp_path):
    cells = cells_of("segmentation", study())
    file = tmp_path / "new" / "cells.csv"
    write_cells(file, cells)
    assert read_cells(file) == cells
    header, first, *rest = file.read_bytes().split(b"\n")
    assert header == b"task,dataset,network,method,fraction,seed"
    assert first == b"segmentation,b,unet,focal,1,1"
    assert len(rest) == len(cells)  # the rest of the cells, and nothing after the last newline


def test_only_the_other_cells_are_dropped_with_the_parents_they_leave_empty(tmp_path):
    kept, others = cells_of("s", study(datasets=("a",))), cells_of("s", study(datasets=("b",)))
    late = cells_of("s", study(datasets=("a",), seeds=(2,)))
    fill(tmp_path, kept)
    before = contents(tmp_path)
    fill(tmp_path, others + late)
    drop_other_cells(tmp_path, kept)
    assert contents(tmp_path) == before
    assert all((tmp_path / cell.name / "shift.parquet").read_text() == cell.name for cell in kept)


@pytest.mark.parametrize("remains", [(), ("a",)])
def test_dropping_twice_or_from_nothing_changes_nothing(tmp_path, remains):
    cells = cells_of("s", study(datasets=remains)) if remains else []
    fill(tmp_path, cells)
    before = contents(tmp_path)
    drop_other_cells(tmp_path, cells)
    assert contents(tmp_path) == before
    drop_other_cells(tmp_path, [])
    assert contents(tmp_path) == set()


def test_a_root_that_is_missing_is_made_for_what_depends_on_it(tmp_path):
    drop_other_cells(tmp_path / "missing", [])
    assert contents(tmp_path) == {"missing"}


def test_the_list_of_a_study_that_is_switched_off_has_a_header_and_no_cells(tmp_path):
    write_cells(tmp_path / "cells.csv", cells_of("s", study(datasets=())))
    assert (tmp_path / "cells.csv").read_text() == "task,dataset,network,method,fraction,seed\n"
    assert read_cells(tmp_path / "cells.csv") == []


def test_files_that_are_no_cell_s_stay(tmp_path):
    (cell, *_) = cells_of("s", study())
    fill(tmp_path, [cell])
    stray = (tmp_path / cell.name).with_name(".gitignore")
    stray.write_text("/1\n")
    drop_other_cells(tmp_path, [cell])
    assert stray.read_text() == "/1\n"


def test_post_hoc_cells_share_the_weights_of_their_base():
    own = Study(
        datasets=("d",),
        networks=("n",),
        methods=("a", "b"),
        baseline="a",
        adjusted=("a",),
        adjustments=("t",),
        fractions=(1,),
        seeds=(0,),
    )
    cells = cells_of("segmentation", own)
    assert [cell.method for cell in cells] == ["a", "b", "a+t"]
    assert cells[2].base == cells[0]
    assert cells[2].folder("extracts").as_posix() == "extracts/segmentation/d/n/a+t/1/0"
    assert [cell.base for cell in cells[:2]] == cells[:2]
