"""Stage analyse: one cell's shift, overlap and calibration."""

import sys
from pathlib import Path

import _tree  # noqa: F401
from rarelens.pipeline.lineage.stage import stage
from rarelens.pipeline.parameters.reading import Scope
from rarelens.studies.analysis.segmentation.analyse import analyse
from rarelens.studies.cells import Cell
from rarelens.studies.files import whole_folder
from rarelens.studies.settings.segmentation.stages import AnalyseSegmentation


@stage()
def main(dataset: str, network: str, method: str, fraction: str, seed: str) -> None:
    cell = Cell("segmentation", dataset, network, method, fraction, int(seed))
    settings = Scope(["analyse.segmentation"]).get("analyse.segmentation", AnalyseSegmentation)
    with whole_folder(cell.folder("analyses")) as target:
        analyse(cell.folder("extracts"), Path("data/prepared") / dataset, target, settings)


if __name__ == "__main__":
    main(*sys.argv[1:])
