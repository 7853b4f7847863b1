"""Stage extract: one cell's label maps, voxel statistics, panels and units, or a post-hoc one's."""

import sys
from dataclasses import replace
from pathlib import Path

import _tree  # noqa: F401
from rarelens.pipeline.lineage.stage import stage
from rarelens.pipeline.parameters.reading import Scope
from rarelens.studies.cells import Cell
from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.extraction.segmentation.extract import extract
from rarelens.studies.files import whole_folder
from rarelens.studies.settings.methods import Adjustment
from rarelens.studies.settings.segmentation.stages import ExtractSegmentation


@stage("networks/{network}", "adjustments/segmentation/{adjustment}")
def main(
    dataset: str, network: str, method: str, fraction: str, seed: str, adjustment: str = ""
) -> None:
    cell = Cell("segmentation", dataset, network, method, fraction, int(seed))
    # A post-hoc control changes the logits only: its units are those of its base.
    path = f"adjustments.segmentation.{adjustment}" if adjustment else f"layers.{network}.units"
    scope = Scope(["extract.segmentation", path])
    settings = scope.get("extract.segmentation", ExtractSegmentation)
    data = PreparedDataset(Path("data/prepared") / dataset)
    own = scope.get(path, Adjustment) if adjustment else None
    units = () if adjustment else scope.get(path, tuple[str, ...])
    written = replace(cell, method=f"{method}+{adjustment}") if adjustment else cell
    with whole_folder(written.folder("extracts")) as target:
        extract(cell.folder("models"), data, target, settings, own, units)


if __name__ == "__main__":
    main(*sys.argv[1:])
