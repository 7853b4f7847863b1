"""Stage report: the page, its figures and the tables for ``dvc plots``."""

from pathlib import Path

import _tree  # noqa: F401
from rarelens.pipeline.lineage.stage import stage
from rarelens.pipeline.parameters.reading import Scope
from rarelens.pipeline.tracking.mirror import sync_if_possible
from rarelens.studies.cells import read_cells
from rarelens.studies.files import read_json, whole_folder
from rarelens.studies.reporting.page import TASKS, write_report
from rarelens.studies.settings.base import Name
from rarelens.studies.settings.results import Report


@stage()
def main() -> None:
    scope = Scope(["report", "study.simulated"])
    studies = {task: read_cells(Path(f"cells/{task}/cells.csv")) for task in TASKS}
    made = {task: read_json(Path(f"cells/{task}/settings.json")) for task in TASKS}
    simulated = scope.get("study.simulated", tuple[Name, ...])
    settings = scope.get("report", Report)
    with whole_folder(Path("reports")) as target:
        analyses, metrics, browse = Path("analyses"), Path("metrics"), Path("browse")
        write_report(target, studies, analyses, metrics, browse, simulated, settings, made)
    # Here, for the report follows from every final measure: MLflow then shows them too.
    sync_if_possible([cell for cells in studies.values() for cell in cells])


if __name__ == "__main__":
    main()
