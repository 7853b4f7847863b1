"""Stage browse: a few test subjects of each comparison, for the report's case browser."""

from pathlib import Path

import _tree  # noqa: F401
from rarelens.pipeline.lineage.stage import stage
from rarelens.pipeline.parameters.reading import Scope
from rarelens.studies.browsing.segmentation.browse import browse
from rarelens.studies.cells import read_cells
from rarelens.studies.files import whole_folder
from rarelens.studies.settings.base import Name
from rarelens.studies.settings.results import Cases, shows_cases
from rarelens.studies.settings.segmentation.stages import ExtractSegmentation


@stage("networks/*")
def main() -> None:
    scope = Scope(
        ["study.simulated", "study.segmentation.baseline", "extract.segmentation", "report.cases"]
    )
    simulated = scope.get("study.simulated", tuple[Name, ...])
    baseline = scope.get("study.segmentation.baseline", Name)
    settings = scope.get("extract.segmentation", ExtractSegmentation)
    cases = scope.get("report.cases", Cases)
    cells = read_cells(Path("cells/segmentation/cells.csv"))
    shown = [cell for cell in cells if shows_cases(cases, cell.dataset, simulated)]
    with whole_folder(Path("browse/segmentation")) as target:
        browse(shown, baseline, Path(), target, settings)


if __name__ == "__main__":
    main()
