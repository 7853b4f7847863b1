"""Stage compare: the statistics of the classification study, over seeds and patients."""

from pathlib import Path

from rarelens.cells import read_cells
from rarelens.comparison.classification import compare, write_metrics
from rarelens.config.base import Name
from rarelens.config.results import Compare
from rarelens.lineage.stage import stage
from rarelens.parameters import Scope


@stage()
def main() -> None:
    scope = Scope(["study.classification.baseline", "compare"])
    found = compare(
        read_cells(Path("cells/classification/cells.csv")),
        Path("analyses"),
        scope.get("study.classification.baseline", Name),
        scope.get("compare", Compare),
    )
    folder = Path("metrics")
    write_metrics(
        found,
        folder / "classification.json",
        folder / "classification.csv",
        folder / "classification_pairs.csv",
    )


if __name__ == "__main__":
    main()
