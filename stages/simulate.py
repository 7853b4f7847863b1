"""Stage simulate: write a dataset's virtual cohort to ``data/raw/<dataset>``."""

import sys
from pathlib import Path

from rarelens.config.volumes import Simulate
from rarelens.data.simulation.cohort import simulate
from rarelens.errors import guarded
from rarelens.parameters import Scope


@guarded
def main(dataset: str) -> None:
    path = f"datasets.{dataset}.simulate"
    simulate(Path("data/raw") / dataset, dataset, Scope([path]).get(path, Simulate))


if __name__ == "__main__":
    main(*sys.argv[1:])
