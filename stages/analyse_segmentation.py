"""Stage analyse: one cell's shift, overlap and calibration."""

import sys
from pathlib import Path

from rarelens.analysis.segmentation import analyse
from rarelens.cells import Cell
from rarelens.config.segmentation import AnalyseSegmentation
from rarelens.files import whole_folder
from rarelens.lineage.stage import stage
from rarelens.parameters import Scope


@stage()
def main(dataset: str, network: str, method: str, fraction: str, seed: str) -> None:
    cell = Cell("segmentation", dataset, network, method, fraction, int(seed))
    settings = Scope(["analyse.segmentation"]).get("analyse.segmentation", AnalyseSegmentation)
    with whole_folder(cell.folder("analyses")) as target:
        analyse(cell.folder("extracts"), Path("data/prepared") / dataset, target, settings)


if __name__ == "__main__":
    main(*sys.argv[1:])
