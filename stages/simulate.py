"""Stage simulate: write virtual subjects to ``data/raw/<dataset>/simulated``, in their layout."""

import sys
from pathlib import Path
from typing import Literal

import _tree  # noqa: F401
from rarelens.pipeline.lineage.stage import stage
from rarelens.pipeline.parameters.reading import Scope
from rarelens.studies.data.classification.simulation.findings import simulate_findings
from rarelens.studies.data.segmentation.simulation.cohort import simulate
from rarelens.studies.settings.classification.datasets import SimulateFindings
from rarelens.studies.settings.segmentation.datasets import Simulate


@stage()
def main(dataset: str) -> None:
    layout, settings = f"datasets.{dataset}.layout", f"datasets.{dataset}.simulate"
    scope = Scope([layout, settings])
    raw = Path("data/raw") / dataset
    if scope.get(layout, Literal["msd", "coco"]) == "coco":
        simulate_findings(raw, dataset, scope.get(settings, SimulateFindings))
    else:
        simulate(raw, dataset, scope.get(settings, Simulate))


if __name__ == "__main__":
    main(*sys.argv[1:])
