"""Stage analyse: one cell's prediction, shift, alignment, dissection and representation."""

import sys
from pathlib import Path

import _tree  # noqa: F401
from rarelens.pipeline.lineage.stage import stage
from rarelens.pipeline.parameters.reading import Scope
from rarelens.studies.analysis.classification.analyse import analyse_cell
from rarelens.studies.cells import Cell
from rarelens.studies.data.classification.prepared import PreparedImages
from rarelens.studies.files import whole_folder
from rarelens.studies.settings.classification.stages import AnalyseClassification


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
