"""Stage train: one cell's classifier and the record of its training."""

import sys
from pathlib import Path

import _tree  # noqa: F401
from rarelens.pipeline.lineage.stage import stage
from rarelens.pipeline.parameters.reading import Scope
from rarelens.pipeline.tracking.live import LiveRun
from rarelens.studies.cells import Cell
from rarelens.studies.data.classification.prepared import PreparedImages
from rarelens.studies.settings.classification.datasets import ImagePreprocess
from rarelens.studies.settings.classification.stages import TrainClassification
from rarelens.studies.settings.methods import ClassificationMethod, Network
from rarelens.studies.training.classification.cell import train_cell
from rarelens.studies.training.classification.job import ClassificationJob


@stage("networks/{network}", "methods/classification/{method}")
def main(dataset: str, network: str, method: str, fraction: str, seed: str, code: str) -> None:
    scope = Scope(
        [
            f"datasets.{dataset}.preprocess",
            f"networks.{network}",
            f"methods.classification.{method}",
            "train.classification",
        ]
    )
    job = ClassificationJob(
        cell=Cell("classification", dataset, network, method, fraction, int(seed)),
        network=scope.get(f"networks.{network}", Network),
        method=scope.get(f"methods.classification.{method}", ClassificationMethod),
        settings=scope.get("train.classification", TrainClassification),
        preprocess=scope.get(f"datasets.{dataset}.preprocess", ImagePreprocess),
        code=code,
    )
    train_cell(job, PreparedImages(Path("data/prepared") / dataset), LiveRun)


if __name__ == "__main__":
    main(*sys.argv[1:])
