"""Stage report: the page, its figures and the tables for ``dvc plots``."""

from pathlib import Path

from rarelens.cells import read_cells
from rarelens.config.base import Name
from rarelens.config.results import Report
from rarelens.errors import guarded
from rarelens.files import whole_folder
from rarelens.parameters import Scope
from rarelens.reporting.page import write_report
from rarelens.tracking.mirror import sync_if_possible


@guarded
def main() -> None:
    scope = Scope(["report", "study.simulated"])
    cells = read_cells(Path("cells/segmentation/cells.csv"))
    simulated = scope.get("study.simulated", tuple[Name, ...])
    with whole_folder(Path("reports")) as target:
        write_report(
            target,
            cells,
            Path("analyses"),
            Path("metrics/segmentation.csv"),
            {cell.dataset: cell.dataset in simulated for cell in cells},
            scope.get("report", Report),
        )
    # Here, for the report follows from every final measure: MLflow then shows them too.
    sync_if_possible(cells)


if __name__ == "__main__":
    main()
