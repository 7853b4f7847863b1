"""Stage cells: check a whole study, list its cells, drop what is left of all others."""

import sys
from pathlib import Path

import _tree  # noqa: F401
from rarelens.errors import RarelensError
from rarelens.pipeline.checks import check_prepared, check_study
from rarelens.pipeline.lineage.stage import stage
from rarelens.pipeline.parameters.reading import FILE, read_yaml
from rarelens.pipeline.parameters.whole import read_parameters
from rarelens.studies.cells import cells_of, drop_other_cells, write_cells, write_settings
from rarelens.studies.files import write_text


@stage("networks/*", "methods/*/*", "adjustments/*/*")
def main(task: str) -> None:
    parameters = read_parameters()
    problems = check_study(parameters) or check_prepared(parameters, Path("data/prepared"), task)
    if problems:
        raise RarelensError(*problems)
    cells = cells_of(task, getattr(parameters.study, task))
    drop_other_cells(Path("analyses") / task, cells)
    scratch = Path("scratch") / task
    if scratch.is_dir():
        drop_other_cells(scratch, cells)
    write_cells(Path("cells") / task / "cells.csv", cells)
    write_settings(Path("cells") / task / "settings.json", read_yaml(FILE), task)
    write_text(Path("cells") / task / "checked", "The study was checked before any training.\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
