"""Stage compare: the statistics of the segmentation study, over seeds and subjects."""

from pathlib import Path

import _tree  # noqa: F401
from rarelens.pipeline.lineage.stage import stage
from rarelens.pipeline.parameters.reading import Scope
from rarelens.studies.cells import read_cells
from rarelens.studies.comparison.metrics import write_metrics
from rarelens.studies.comparison.segmentation.compare import compare
from rarelens.studies.settings.base import Name
from rarelens.studies.settings.results import Compare


@stage()
def main() -> None:
    scope = Scope(["study.segmentation.baseline", "compare"])
    found = compare(
        read_cells(Path("cells/segmentation/cells.csv")),
        Path("analyses"),
        scope.get("study.segmentation.baseline", Name),
        scope.get("compare", Compare),
    )
    write_metrics(Path("metrics"), "segmentation", *found)


if __name__ == "__main__":
    main()
