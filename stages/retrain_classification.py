"""Stage retrain: a trained cell's classifier with a new head."""

import sys
from pathlib import Path

from rarelens.cells import Cell
from rarelens.config.methods import Adjustment
from rarelens.data.images.prepared import PreparedImages
from rarelens.lineage.stage import stage
from rarelens.parameters import Scope
from rarelens.training.classification.retraining import retrain_cell


@stage("networks/{network}", "adjustments/classification/{adjustment}")
def main(
    dataset: str, network: str, method: str, adjustment: str, fraction: str, seed: str, code: str
) -> None:
    at = f"adjustments.classification.{adjustment}"
    settings = Scope([at]).get(at, Adjustment)
    cell = Cell("classification", dataset, network, f"{method}+{adjustment}", fraction, int(seed))
    retrain_cell(cell, settings, PreparedImages(Path("data/prepared") / dataset), code)


if __name__ == "__main__":
    main(*sys.argv[1:])
