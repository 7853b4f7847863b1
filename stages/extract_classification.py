"""Stage extract: one classifier's scores, unit activations and saliency maps."""

import sys
from pathlib import Path

import _tree  # noqa: F401
from rarelens.pipeline.lineage.stage import stage
from rarelens.pipeline.parameters.reading import Scope
from rarelens.studies.cells import Cell
from rarelens.studies.data.classification.prepared import PreparedImages
from rarelens.studies.extraction.classification.extract import extract_cell
from rarelens.studies.files import whole_folder
from rarelens.studies.settings.classification.stages import ExtractClassification
from rarelens.studies.settings.methods import Layers


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
