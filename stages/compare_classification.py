"""Stage compare: the statistics of the classification study, over seeds and patients."""

from pathlib import Path

from rarelens.pipeline.lineage.stage import stage
from rarelens.pipeline.parameters.reading import Scope
from rarelens.studies.catalogue import CLASSIFICATION
from rarelens.studies.cells import read_cells
from rarelens.studies.comparison.classification.compare import compare
from rarelens.studies.comparison.metrics import write_csv, write_metrics
from rarelens.studies.settings.base import Name
from rarelens.studies.settings.results import Compare


@stage()
def main() -> None:
    scope = Scope(["study.classification.baseline", "compare"])
    methods, pairs = compare(
        read_cells(Path("cells/classification/cells.csv")),
        Path("analyses"),
        scope.get("study.classification.baseline", Name),
        scope.get("compare", Compare),
    )
    name = "metrics/classification"
    write_metrics(methods, CLASSIFICATION, Path(f"{name}.json"), Path(f"{name}.csv"))
    write_csv(pairs, Path(f"{name}_pairs.csv"))


if __name__ == "__main__":
    main()
