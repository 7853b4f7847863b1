"""Stage analyse: one cell's prediction, shift, alignment, dissection and representation."""

import sys
from pathlib import Path

from rarelens.analysis.classification.analyse import analyse_cell
from rarelens.cells import Cell
from rarelens.config.classification import AnalyseClassification
from rarelens.data.images.prepared import PreparedImages
from rarelens.files import whole_folder
from rarelens.lineage.stage import stage
from rarelens.parameters import Scope


@stage()
def main(dataset: str, network: str, method: str, fraction: str, seed: str) -> None:
    cell = Cell("classification", dataset, network, method, fraction, int(seed))
    path = "analyse.classification"
    settings = Scope([path]).get(path, AnalyseClassification)
    data = PreparedImages(Path("data/prepared") / dataset)
    with whole_folder(cell.folder("analyses")) as target:
        analyse_cell(cell.folder("extracts"), data, target, settings)


if __name__ == "__main__":
    main(*sys.argv[1:])
