"""Stage train: one cell's model and the record of its training."""

import sys
from pathlib import Path

import _tree  # noqa: F401
from rarelens.pipeline.lineage.stage import stage
from rarelens.pipeline.parameters.reading import Scope
from rarelens.pipeline.tracking.live import LiveRun
from rarelens.studies.cells import Cell
from rarelens.studies.data.segmentation.prepared import PreparedDataset
from rarelens.studies.settings.methods import Method, Network
from rarelens.studies.settings.segmentation.datasets import PatchSize, Preprocess, RareClasses
from rarelens.studies.settings.segmentation.stages import TrainSegmentation
from rarelens.studies.training.segmentation.cell import train_cell
from rarelens.studies.training.segmentation.job import SegmentationJob


@stage("networks/{network}", "methods/segmentation/{method}")
def main(dataset: str, network: str, method: str, fraction: str, seed: str, code: str) -> None:
    at = f"datasets.{dataset}"
    scope = Scope(
        [
            *(f"{at}.{key}" for key in ("patch_size", "preprocess", "rare_classes")),
            f"{at}.rare_threshold",
            f"networks.{network}",
            f"methods.segmentation.{method}",
            "train.segmentation",
        ]
    )
    job = SegmentationJob(
        cell=Cell("segmentation", dataset, network, method, fraction, int(seed)),
        network=scope.get(f"networks.{network}", Network),
        method=scope.get(f"methods.segmentation.{method}", Method),
        settings=scope.get("train.segmentation", TrainSegmentation),
        preprocess=scope.get(f"{at}.preprocess", Preprocess),
        patch_size=scope.get(f"{at}.patch_size", PatchSize),
        rare_classes=scope.get(f"{at}.rare_classes", RareClasses),
        rare_threshold=scope.get(f"{at}.rare_threshold", float),
        code=code,
    )
    train_cell(job, PreparedDataset(Path("data/prepared") / dataset), LiveRun)


if __name__ == "__main__":
    main(*sys.argv[1:])
