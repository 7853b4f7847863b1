"""Stage extract: one cell's label maps, voxel statistics and panels."""

import sys
from pathlib import Path

from rarelens.cells import Cell
from rarelens.config import ExtractSegmentation
from rarelens.data.prepared import PreparedDataset
from rarelens.errors import guarded
from rarelens.extraction.segmentation import extract
from rarelens.files import whole_folder
from rarelens.parameters import Scope


@guarded
def main(dataset: str, network: str, method: str, fraction: str, seed: str) -> None:
    cell = Cell("segmentation", dataset, network, method, fraction, int(seed))
    settings = Scope(["extract.segmentation"]).get("extract.segmentation", ExtractSegmentation)
    data = PreparedDataset(Path("data/prepared") / dataset)
    with whole_folder(cell.folder("extracts")) as target:
        extract(cell.folder("models"), data, target, settings)


if __name__ == "__main__":
    main(*sys.argv[1:])
