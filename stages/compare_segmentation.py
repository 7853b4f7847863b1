"""Stage compare: the statistics of the segmentation study, over seeds and subjects."""

from pathlib import Path

from rarelens.cells import read_cells
from rarelens.comparison.segmentation import compare, write_metrics
from rarelens.config.base import Name
from rarelens.config.results import Compare
from rarelens.lineage.stage import stage
from rarelens.parameters import Scope


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
