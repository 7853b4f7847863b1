"""Stage compare: the statistics of the segmentation study, over seeds and subjects."""

from pathlib import Path

from rarelens.pipeline.lineage.stage import stage
from rarelens.pipeline.parameters.reading import Scope
from rarelens.studies.cells import read_cells
from rarelens.studies.comparison.segmentation.compare import compare, write_metrics
from rarelens.studies.settings.base import Name
from rarelens.studies.settings.results import Compare


@stage()
def main() -> None:
    scope = Scope(["study.segmentation.baseline", "compare"])
    table = compare(
        read_cells(Path("cells/segmentation/cells.csv")),
        Path("analyses"),
        scope.get("study.segmentation.baseline", Name),
        scope.get("compare", Compare),
    )
    write_metrics(table, Path("metrics/segmentation.json"), Path("metrics/segmentation.csv"))


if __name__ == "__main__":
    main()
