"""Stage train: one cell's classifier and the record of its training."""

import sys
from pathlib import Path

from rarelens.cells import Cell
from rarelens.config.classification import TrainClassification
from rarelens.config.images import ImagePreprocess
from rarelens.config.methods import ClassificationMethod, Network
from rarelens.data.images.prepared import PreparedImages
from rarelens.lineage.stage import stage
from rarelens.parameters import Scope
from rarelens.training.classification.cell import train_cell
from rarelens.training.classification.job import ClassificationJob


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
    train_cell(job, PreparedImages(Path("data/prepared") / dataset))


if __name__ == "__main__":
    main(*sys.argv[1:])
