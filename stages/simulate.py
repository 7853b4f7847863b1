"""Stage simulate: write virtual subjects to ``data/raw/<dataset>/simulated``, in their layout."""

import sys
from pathlib import Path
from typing import Literal

from rarelens.config.images import SimulateFindings
from rarelens.config.volumes import Simulate
from rarelens.data.simulation.cohort import simulate
from rarelens.data.simulation.findings import simulate_findings
from rarelens.lineage.stage import stage
from rarelens.parameters import Scope


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
