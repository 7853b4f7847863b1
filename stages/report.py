"""Stage report: the page, its figures and the tables for ``dvc plots``."""

from pathlib import Path

from rarelens.cells import read_cells
from rarelens.config.base import Name
from rarelens.config.results import Report
from rarelens.files import whole_folder
from rarelens.lineage.stage import stage
from rarelens.parameters import Scope
from rarelens.reporting.page import TASKS, write_report
from rarelens.tracking.mirror import sync_if_possible


@stage()
def main() -> None:
    scope = Scope(["report", "study.simulated"])
    studies = {task: read_cells(Path(f"cells/{task}/cells.csv")) for task in TASKS}
    simulated = scope.get("study.simulated", tuple[Name, ...])
    settings = scope.get("report", Report)
    with whole_folder(Path("reports")) as target:
        write_report(target, studies, Path("analyses"), Path("metrics"), simulated, settings)
    # Here, for the report follows from every final measure: MLflow then shows them too.
    sync_if_possible([cell for cells in studies.values() for cell in cells])


if __name__ == "__main__":
    main()
