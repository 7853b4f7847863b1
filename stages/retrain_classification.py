"""Stage retrain: a trained cell's classifier with a new head."""

import sys
from pathlib import Path

import _tree  # noqa: F401
from rarelens.pipeline.lineage.stage import stage
from rarelens.pipeline.parameters.reading import Scope
from rarelens.pipeline.tracking.live import LiveRun
from rarelens.studies.cells import Cell
from rarelens.studies.data.classification.prepared import PreparedImages
from rarelens.studies.settings.methods import Adjustment
from rarelens.studies.training.classification.retraining import retrain_cell


@stage("networks/{network}", "adjustments/classification/{adjustment}")
def main(
    dataset: str, network: str, method: str, adjustment: str, fraction: str, seed: str, code: str
) -> None:
    at = f"adjustments.classification.{adjustment}"
    settings = Scope([at]).get(at, Adjustment)
    cell = Cell("classification", dataset, network, f"{method}+{adjustment}", fraction, int(seed))
    retrain_cell(cell, settings, PreparedImages(Path("data/prepared") / dataset), code, LiveRun)


if __name__ == "__main__":
    main(*sys.argv[1:])
