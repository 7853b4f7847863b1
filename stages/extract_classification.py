"""Stage extract: one classifier's scores, unit activations and saliency maps."""

import sys
from pathlib import Path

from rarelens.cells import Cell
from rarelens.config.classification import ExtractClassification
from rarelens.config.methods import Layers
from rarelens.data.images.prepared import PreparedImages
from rarelens.extraction.classification.extract import extract_cell
from rarelens.files import whole_folder
from rarelens.lineage.stage import stage
from rarelens.parameters import Scope


@stage("networks/{network}")
def main(dataset: str, network: str, method: str, fraction: str, seed: str) -> None:
    cell = Cell("classification", dataset, network, method, fraction, int(seed))
    scope = Scope(["extract.classification", f"layers.{network}"])
    settings = scope.get("extract.classification", ExtractClassification)
    layers = scope.get(f"layers.{network}", Layers)
    data = PreparedImages(Path("data/prepared") / dataset)
    with whole_folder(cell.folder("extracts")) as target:
        extract_cell(cell.folder("models"), data, target, settings, layers)


if __name__ == "__main__":
    main(*sys.argv[1:])
